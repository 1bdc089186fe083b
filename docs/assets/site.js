for (const place of document.querySelectorAll(".arithmatex")) {
  const text = place.textContent.trim();
  katex.render(text.slice(2, -2), place, { displayMode: text.startsWith("\\["), throwOnError: false });
}
// the theme gives its dialog no name
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
