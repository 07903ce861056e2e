/**
 * A chart of how far kds is from its peers, as SVG: a bar for each row, from 1 to the ratio, on a
 * logarithmic scale. Text and lines are drawn in the colours of the page's scheme, light or dark.
 */

import { type Compared, standingOf } from './summary.ts';
import { times } from './table.ts';

const [width, rowHeight, top, labelWidth, margin] = [960, 22, 44, 500, 64];
const labelLengthMax = 72;
/** Ratios beyond this are drawn as this; the number beside the bar is right. */
const ratioMax = 300;

/** Same figures, same text. */
export function chartOf(compared: readonly Compared[], title: string): string {
  const height = top + rowHeight * compared.length + 12;
  const middle = labelWidth + (width - labelWidth) / 2;
  const scale = (width - labelWidth - 2 * margin) / 2 / Math.log(ratioMax);
  const lines = compared.map((each, index) => {
    const ratio = Math.min(ratioMax, Math.max(1 / ratioMax, each.ratio));
    const end = middle + Math.log(ratio) * scale;
    const y = top + rowHeight * index;
    const isLeft = end < middle;
    const [from, to] = isLeft ? [end, middle] : [middle, end];
    const names = `${each.row.number}: ${each.of} / ${each.peer}`;
    const isLong = names.length > labelLengthMax;
    const label = isLong ? `${names.slice(0, labelLengthMax - 1)}…` : names;
    const anchor = isLeft ? 'end' : 'start';
    return [
      text(labelWidth - 8, y + 15, label, 'end'),
      `<rect class="${standingOf(each.ratio)}" x="${fixed(from)}" y="${y + 4}" ` +
        `width="${fixed(Math.max(1, to - from))}" height="14"/>`,
      text(isLeft ? end - 4 : end + 4, y + 15, times(each.ratio), anchor),
    ].join('\n');
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" ` +
      `aria-label="${escapeXml(title)}">`,
    style,
    text(labelWidth - 8, 18, title, 'end'),
    text(middle - 8, 36, 'kds takes less', 'end'),
    text(middle + 8, 36, 'kds takes more', 'start'),
    ...lines,
    `<line x1="${fixed(middle)}" y1="${top - 4}" x2="${fixed(middle)}" y2="${height - 8}"/>`,
    '</svg>',
  ].join('\n')}\n`;
}

const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
line { stroke: #6e7781; }
.ahead { fill: #1a7f37; } .level { fill: #6e7781; } .behind { fill: #bc4c00; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } line { stroke: #8b949e; }
  .ahead { fill: #3fb950; } .level { fill: #8b949e; } .behind { fill: #db6d28; }
}
</style>`;

function text(x: number, y: number, content: string, anchor: 'start' | 'end'): string {
  return `<text x="${fixed(x)}" y="${y}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escapeXml(content: string): string {
  return content.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);
}
