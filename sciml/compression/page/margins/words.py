"""What the first screen and the limits say of the crops that judge."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.compression.page.margins.tables import measured_words, others
from sciml.compression.page.style import judged_title
from sciml.compression.study.margins.codecs import OURS, OURS_MS_SSIM
from sciml.compression.study.margins.statistics import RATES_BPP, Margins
from sciml.compression.study.quality import METRICS, MS_SSIM, PSNR
from sciml.report.study import Number
from sciml.report.words import counted, percent, sequence, with_interval

# against whom the first screen answers, as far as they ran, and the rate at which lost crops are counted
ASKED = ("webp", "avif", "avif-3", "hevc-444")
RATE_BPP = RATES_BPP[1]


def margin_answer(margins: Margins) -> str:
    """Return what ours needs at equal PSNR against the codecs of the question, and on how many crops each of them wins."""
    parts = []
    for codec in ASKED:
        saving = margins.saving(OURS, codec, PSNR)
        if saving.mean is not None:
            bits = with_interval(saving.mean, saving.interval, "%", 1, sign=True)
            parts.append(f"{bits} against {judged_title(codec)}, more on {percent(saving.lost or 0, 0)} of the crops")
    crops = f"{counted(len(margins.crops), 'crop')} of {counted(margins.photographs, 'photograph')}"
    if not parts:
        return f"On {crops} ours could be compared with none of {sequence(map(judged_title, ASKED))}."
    ahead = [words for codec in ("avif", "avif-3") if (words := rates_ahead(margins, codec))]
    tail = f" {' '.join(ahead)}" if ahead else ""
    head = f"Bits of ours at equal PSNR, on {crops} that were chosen by a rule and never learned from"
    return f"{head}: {'; '.join(parts)}.{tail}"


def rates_ahead(margins: Margins, other: str) -> str:
    """Return at which rates another codec is ahead of ours by mean PSNR, as a sentence; empty where it cannot be said."""
    leads = {rate: margins.lead(OURS, other, rate, PSNR).mean for rate in RATES_BPP}
    if any(lead is None for lead in leads.values()):
        return ""
    behind = [f"{rate:g}" for rate, lead in leads.items() if (lead or 0.0) < 0]
    if not behind:
        return f"{judged_title(other)} is ahead at none of {sequence([f'{rate:g}' for rate in leads])} bpp on the mean."
    return f"{judged_title(other)} is ahead at {sequence(behind)} bpp on the mean."


def margin_numbers(margins: Margins) -> Iterator[Number]:
    """Yield bits at equal quality against the codecs of the question, with the share of crops lost, and the time."""
    for codec in ASKED:
        saving = margins.saving(OURS, codec, PSNR)
        if saving.mean is not None:
            text = f"Bits at equal PSNR against {judged_title(codec)}; more on {percent(saving.lost or 0, 0)} of the crops"
            yield Number(text, round(saving.mean, 1), "%", saving.interval)
    tuned = margins.saving(OURS_MS_SSIM, "avif", MS_SSIM)
    if tuned.mean is not None:
        lost = percent(tuned.lost or 0, 0)
        text = f"Tuned for MS-SSIM: bits at equal MS-SSIM against {judged_title('avif')}; more on {lost} of the crops"
        yield Number(text, round(tuned.mean, 1), "%", tuned.interval)
    rival = next((codec for codec in ("avif",) if codec in margins.file.codecs), "")
    theirs = round(margins.seconds(rival)[1], 3) if rival else None
    yield Number(
        "Decoding a crop", round(margins.seconds(OURS)[1], 2), "CPU s", None, judged_title(rival) if rival else "", theirs
    )


def margin_limits(margins: Margins) -> Iterator[str]:
    """Yield where others win, and what the crops are not."""
    for own, metric in ((OURS, PSNR), (OURS, MS_SSIM), (OURS_MS_SSIM, MS_SSIM)):
        if own not in margins.file.codecs:
            continue
        found = []
        for codec in others(margins):
            leads = {rate: margins.lead(own, codec, rate, metric).mean for rate in RATES_BPP}
            behind = [f"{rate:g}" for rate, lead in leads.items() if lead is not None and lead < 0]
            if behind:
                found.append(f"{judged_title(codec)} at {sequence(behind)} bpp")
        titles = [one.title for one in METRICS if one is metric]
        yield f"{judged_title(own)}, mean {titles[0]}: {'; '.join(found) + ' ahead' if found else 'no codec is ahead'}."
    yield (
        f"The crops are {len(margins.crops)} parts of {counted(margins.photographs, 'photograph')}, most of them made as "
        "backgrounds of desktops: more sky, fog and blur than usual. On other pictures the margins differ."
        + measured_words(margins)
    )
