/** The queue of each turn, in the terms of the pipeline: one row each, always in one order. */

import type { Snapshot, SnapshotEntry } from 'kds';
import { make, write } from '../shared/panels.ts';
import { allTurns, buffersByTurn } from './pool.ts';

interface Row {
  readonly buffer: HTMLElement;
  readonly holder: HTMLElement;
  readonly queue: HTMLElement;
}

export class LineRows {
  readonly #rows = new Map<string, Row>();

  constructor(body: Element) {
    for (const turn of allTurns) {
      const head = make('th', '', turn);
      head.setAttribute('scope', 'row');
      const row = {
        buffer: make('td', ''),
        holder: make('div', 'uses'),
        queue: make('div', 'uses'),
      };
      this.#rows.set(turn, row);
      const cells = [row.holder, row.queue].map((box) => make('td', '', box));
      body.append(make('tr', '', head, row.buffer, ...cells));
    }
  }

  show(snapshot: Snapshot): void {
    const { held, pending } = snapshot;
    const isIn = (turn: string) => (entry: SnapshotEntry) => entry.set.exclusive.includes(turn);
    const buffers = buffersByTurn(snapshot);
    for (const [turn, { buffer, holder, queue }] of this.#rows) {
      holder.replaceChildren(...held.filter(isIn(turn)).map(chip));
      queue.replaceChildren(...pending.filter(isIn(turn)).map(chip));
      write(buffer, buffers.get(turn) ?? '');
    }
  }
}

function chip({ label = '' }: SnapshotEntry): HTMLElement {
  const [stage = ''] = label.split(' ');
  return make('span', `chip exclusive ${stage}`, label);
}
