/** Messages between the page and the workers of the stages. */

import type { Arena } from 'kds/threads';
import type { Clip } from './clip.ts';
import type { TurnMessage } from './mailbox.ts';
import type { SceneMemory } from './scene.ts';

/** How frames are handed over: workers wake each other, or the main thread sends messages. */
export type RouteName = 'kds' | 'messages';

export type ToStage =
  | {
      readonly kind: 'start';
      readonly memory: SceneMemory;
      readonly arena: Arena;
      /** Of the display. */
      readonly canvas: OffscreenCanvas | undefined;
    }
  | { readonly kind: 'enter'; readonly route: RouteName; readonly clip: Clip }
  | { readonly kind: 'leave' }
  | TurnMessage;

export type FromStage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'entered' }
  | { readonly kind: 'left' }
  /** The stage before this one has ended: kds has shown that. */
  | { readonly kind: 'broken' }
  | { readonly kind: 'passed'; readonly number: number }
  | { readonly kind: 'failed'; readonly message: string };
