/** Messages between the main thread and the thread of the page. */

import type { MessagePort } from 'node:worker_threads';
import type { Arena } from 'kds/threads';
import type { Scene } from './scene.ts';

/** Forms of the pipeline, in the order of the page. */
export const formNames = ['direct', 'main', 'busy'] as const;
export type FormName = (typeof formNames)[number];

/** Data that the page's worker starts with. */
export interface PageData {
  readonly port: number;
}

/** Message to the page's worker: a pipeline has started. */
export interface Started {
  readonly form: FormName;
  readonly scene: Scene;
  readonly arena: Arena;
  readonly display: MessagePort;
}

/** Message of the page's worker: it listens, it cannot listen, or a form is wanted. */
export type FromPage =
  | { readonly kind: 'listening'; readonly url: string; readonly inspectUrl: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'wanted'; readonly form: FormName; readonly firstNumber: number };
