(function () {
  "use strict";
  const root = document.documentElement;
  const media = matchMedia("(prefers-color-scheme: dark)");
  const charts = [];
  const NARROW = 480;
  const tooltip = document.createElement("div");
  tooltip.className = "tooltip";
  tooltip.hidden = true;
  document.body.append(tooltip);

  function showTooltip(handler, event, item, value) {
    tooltip.hidden = !value || typeof value !== "object";
    if (tooltip.hidden) return;
    tooltip.replaceChildren(...Object.entries(value).map(([name, text]) => {
      const line = document.createElement("div");
      line.textContent = `${name}: ${text}`;
      return line;
    }));
    const left = Math.min(event.clientX + 14, innerWidth - tooltip.offsetWidth - 8);
    Object.assign(tooltip.style, { left: `${left}px`, top: `${event.clientY + 14}px` });
  }

  function config() {
    const style = getComputedStyle(root);
    const [ink, soft, line] = ["--ink", "--soft", "--line"].map((name) => style.getPropertyValue(name).trim());
    const axis = { labelColor: soft, titleColor: ink, gridColor: line, domainColor: soft, tickColor: soft };
    return {
      background: null, font: style.getPropertyValue("--sans").trim(), view: { stroke: null },
      axis: { ...axis, labelFontSize: 12, titleFontSize: 13, titleFontWeight: "normal", titlePadding: 10, labelOverlap: "greedy", labelSeparation: 8 },
      legend: { labelColor: ink, titleColor: ink, labelFontSize: 13 },
    };
  }

  // in a narrow box the names stand above it and may take several lines
  function legendOf(spec, box) {
    const { color, strokeDash } = spec.encoding;
    const list = document.createElement("ul");
    list.className = "legend";
    color.scale.domain.forEach((name, place) => {
      const item = document.createElement("li");
      item.innerHTML = '<svg viewBox="0 0 28 4" aria-hidden="true"><path d="M0 2H28" stroke-width="3"></path></svg>';
      const line = item.querySelector("path");
      line.setAttribute("stroke", color.scale.range[place]);
      line.setAttribute("stroke-dasharray", strokeDash.scale.range[place]);
      item.append(name);
      list.append(item);
    });
    color.legend = strokeDash.legend = null;
    spec.params = spec.params.filter((one) => one.name !== "picked");
    delete spec.encoding.opacity;
    box.before(list);
    return list;
  }

  async function draw(chart) {
    const style = getComputedStyle(root);
    const text = chart.text.replace(/--s\d/g, (token) => style.getPropertyValue(token).trim());
    if (chart.view) chart.view.finalize();
    const spec = JSON.parse(text);
    chart.names?.remove();
    if (chart.box.clientWidth < NARROW && spec.encoding.color) chart.names = legendOf(spec, chart.box);
    const compiled = vegaLite.compile(spec, { config: config() }).spec;
    chart.view = new vega.View(vega.parse(compiled, null, { ast: true }), {
      expr: vega.expressionInterpreter, renderer: "svg", container: chart.box, hover: true, tooltip: showTooltip, logLevel: vega.Error,
    });
    await chart.view.runAsync();
    chart.box.classList.add("drawn");
  }

  const redraw = (chart) => draw(chart).catch((error) => console.error(error));
  // a chart takes its width from its box, which has none before its tab is opened
  function begin(chart) {
    if (!chart.box.clientWidth || chart.started) return;
    chart.started = true;
    redraw(chart);
  }
  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) begin(charts.find((one) => one.box === entry.target));
  });
  for (const box of document.querySelectorAll("[data-curve]")) {
    const chart = { box, text: box.parentElement.querySelector("script").textContent, view: null, started: false };
    charts.push(chart);
    begin(chart);
    sizes.observe(box);
  }
  const again = () => { for (const chart of charts) if (chart.started) redraw(chart); };
  document.addEventListener("themechange", again);
  media.addEventListener("change", again);
})();
