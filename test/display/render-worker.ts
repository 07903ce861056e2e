/** A renderer under test: slow, or failing, or hung half way through a frame. */

import { type BufferHandle, openBuffer } from '../../src/recipes/buffers/index.ts';
import { type RunningTask, serveTasks } from '../../src/recipes/jobs/index.ts';
import { draw } from './frames.ts';

export interface RenderOrder {
  readonly handle: BufferHandle;
  readonly number: number;
  /** How it goes in the middle of the frame. */
  readonly how: 'fast' | 'slow' | 'fails' | 'hangs';
}

const render = async ({ handle, number, how }: RenderOrder, task: RunningTask): Promise<void> => {
  const words = openBuffer(handle).write(task, Int32Array);
  draw(words, number, 0);
  if (how === 'slow') await new Promise((resolve) => setTimeout(resolve, number % 3));
  if (how === 'fails') throw new Error(`frame ${number} failed`);
  if (how === 'hangs') await new Promise(() => {});
  draw(words, number, 1);
};

serveTasks({ render });
