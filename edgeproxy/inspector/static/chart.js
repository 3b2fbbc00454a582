// Small charts, drawn by hand.

import { html, nothing, svg } from "./vendor/lit-html.js";

const WIDTH = 600;
const HEIGHT = 120;

/** A round number not below `value`, for the top of a scale. */
export function top(value) {
  if (!(value > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * size).find((step) => step >= value);
}

/** Bars for `series`, stacked: each `{kind, values}`; a value is null where nothing happened. */
const bars = (series, scale) => {
  const count = series[0].values.length;
  const width = WIDTH / count;
  const rects = [];
  for (let index = 0; index < count; index += 1) {
    let y = HEIGHT;
    for (const { kind, values } of series) {
      const height = ((values[index] ?? 0) / scale) * HEIGHT;
      if (height <= 0) continue;
      y -= height;
      rects.push(svg`<rect x=${index * width + 0.5} y=${y} width=${Math.max(width - 1, 0.5)} height=${height} data-kind=${kind} />`);
    }
  }
  return rects;
};

/** A line that breaks where there is no value. */
const line = ({ kind, values }, scale) => {
  const step = WIDTH / values.length;
  let d = "";
  let isDown = false;
  values.forEach((value, index) => {
    if (value == null) isDown = false;
    else {
      const [x, y] = [(index + 0.5) * step, HEIGHT - (value / scale) * HEIGHT];
      const isAlone = !isDown && values[index + 1] == null;
      d += isAlone ? `M${x - step / 2} ${y}h${step}` : `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      isDown = true;
    }
  });
  return svg`<path d=${d} data-kind=${kind} />`;
};

/**
 * A figure with its newest values in words. `stacked` and `lines` are lists of
 * `{kind, label, values}`, `format` writes a value, `max` fixes the scale.
 */
export function chart({ title, summary, stacked = [], lines = [], format, max, note }) {
  const all = [...stacked, ...lines];
  const sums = stacked.length
    ? stacked[0].values.map((_, index) => stacked.reduce((sum, { values }) => sum + (values[index] ?? 0), 0))
    : [];
  const scale = max ?? top(Math.max(0, ...sums, ...lines.flatMap(({ values }) => values.filter((value) => value != null))));
  return html`<figure class="chart">
    <figcaption><strong>${title}</strong> <span class="now">${summary}</span>
      ${note ? html`<span class="note">${note}</span>` : nothing}</figcaption>
    <div class="plot">
      <span class="scale" aria-hidden="true">${format(scale)}</span>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${summary}">
        <path class="guide" d="M0 0.5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}" />
        ${stacked.length ? bars(stacked, scale) : nothing}
        ${lines.map((each) => line(each, scale))}
      </svg>
    </div>
    ${all.length > 1 ? html`<p class="legend">${all.map(({ kind, label }) => html`<span data-kind=${kind}><i aria-hidden="true"></i>${label}</span>`)}</p>` : nothing}
  </figure>`;
}

/** Bars as small as a word. */
export function sparkline(values, label, kind) {
  const scale = top(Math.max(0, ...values));
  const width = 100 / Math.max(values.length, 1);
  return html`<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${values.map((value, index) => {
      const height = (value / scale) * 20;
      return svg`<rect x=${index * width} y=${20 - height} width=${Math.max(width - 0.6, 0.4)} height=${height} data-kind=${kind} />`;
    })}</svg>`;
}
