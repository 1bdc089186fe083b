# Names in paths.
COHORTS = sorted(SETTINGS.progression.cohorts)
FORMS = sorted(SETTINGS.progression.learning.forms)
MAIN_FORM = SETTINGS.progression.learning.variants["main"].form
VARIANTS = sorted(SETTINGS.progression.predict_config(SETTINGS).variants)


def denoiser_of(wildcards):
    """Return the complete denoiser of a form: of its ControlNet's training where it has one."""
    form = SETTINGS.progression.learning.forms[wildcards.form].form
    part = "controlnet" if form.anatomy == "controlnet" else "diffusion"
    return f"<results>/{part}/{wildcards.form}/{wildcards.form}.safetensors"
