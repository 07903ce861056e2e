/**
 * What the stages do with real map data: project the land, paint it, write on it. Canvases come
 * from outside, as Node and browsers have different ones.
 */

import type { GeoPermissibleObjects } from 'd3-geo';
import { geoGraticule10, geoOrthographic, geoPath } from 'd3-geo';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import countries from 'world-atlas/countries-110m.json' with { type: 'json' };
import { size } from './scene.ts';

const topology = countries as unknown as Topology<{
  land: GeometryCollection;
  countries: GeometryCollection;
}>;

/** The layers, in the order of drawing; the number selects the style. */
const shapes: readonly GeoPermissibleObjects[] = [
  geoGraticule10(),
  feature(topology, topology.objects.land),
  mesh(topology, topology.objects.countries, (a, b) => a !== b),
];
const moves = { begin: 0, moveTo: 1, lineTo: 2, closePath: 3 } as const;

/** Writes the outlines as a frame shows them: a count, then a move, x and y of each vertex. */
export function project(vertices: Float32Array, frame: number): void {
  const projection = geoOrthographic()
    .rotate([frame * 0.6, -20, 0])
    .translate([size / 2, size / 2])
    .scale(size / 2 - 24);
  let at = 1;
  const put = (move: number, x = 0, y = 0): void => {
    if (at + 3 > vertices.length) throw new RangeError('there are more vertices than have room');
    vertices[at] = move;
    vertices[at + 1] = x;
    vertices[at + 2] = y;
    at += 3;
  };
  const path = geoPath(projection, {
    beginPath: () => {},
    moveTo: (x, y) => put(moves.moveTo, x, y),
    lineTo: (x, y) => put(moves.lineTo, x, y),
    closePath: () => put(moves.closePath),
    arc: () => {},
  });
  for (const shape of shapes) {
    put(moves.begin);
    path(shape);
  }
  vertices[0] = at;
}

/** What is needed of a canvas's context. */
export type Context = Pick<
  CanvasRenderingContext2D,
  | 'fillStyle'
  | 'strokeStyle'
  | 'font'
  | 'fillRect'
  | 'fillText'
  | 'beginPath'
  | 'moveTo'
  | 'lineTo'
  | 'closePath'
  | 'arc'
  | 'fill'
  | 'stroke'
  | 'createImageData'
  | 'getImageData'
  | 'putImageData'
>;

const styles = [
  { stroke: '#27476a' },
  { fill: '#5f9b62', stroke: '#2f5233' },
  { stroke: '#3d6b40' },
] as const;

/** Draws a frame from its vertices: sea, then one shape after the other. */
export class Painter {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  paint(vertices: ArrayLike<number>, pixels: Uint8ClampedArray): void {
    const context = this.#context;
    context.fillStyle = '#0b1622';
    context.fillRect(0, 0, size, size);
    context.fillStyle = '#16324f';
    context.beginPath();
    context.arc(size / 2, size / 2, size / 2 - 24, 0, 2 * Math.PI);
    context.fill();
    let shape = -1;
    const end = vertices[0] as number;
    for (let at = 1; at < end; at += 3) {
      const [move, x, y] = [vertices[at], vertices[at + 1] as number, vertices[at + 2] as number];
      if (move === moves.begin) this.#finish(shape++);
      else if (move === moves.moveTo) context.moveTo(x, y);
      else if (move === moves.lineTo) context.lineTo(x, y);
      else context.closePath();
    }
    this.#finish(shape);
    pixels.set(context.getImageData(0, 0, size, size).data);
  }

  /** A shape is whole: it is painted, and the next one begins. */
  #finish(shape: number): void {
    const context = this.#context;
    const style = styles[shape];
    if (style !== undefined) {
      if ('fill' in style) {
        context.fillStyle = style.fill;
        context.fill();
      }
      context.strokeStyle = style.stroke;
      context.stroke();
    }
    context.beginPath();
  }
}

/** Writes a line over a frame that has been painted. */
export class Composer {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  compose(pixels: Uint8ClampedArray, text: string): void {
    const context = this.#context;
    const height = 22;
    const strip = context.createImageData(size, height);
    strip.data.set(pixels.subarray(0, 4 * size * height));
    context.putImageData(strip, 0, 0);
    context.fillStyle = '#d8e6f3';
    context.font = '13px sans-serif';
    context.fillText(text, 10, 16);
    pixels.set(context.getImageData(0, 0, size, height).data, 0);
  }
}
