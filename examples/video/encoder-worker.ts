/** Makes the clip of a codec. */

import { type Clip, encodeClip } from './clip.ts';
import type { Codec } from './scene.ts';

/** Answer to the name of a codec. */
export type Encoded = { readonly clip: Clip } | { readonly error: string };

addEventListener('message', async ({ data: codec }: MessageEvent<Codec>) => {
  const answer: Encoded = await encodeClip(codec).then(
    (clip) => ({ clip }),
    (error: unknown) => ({ error: String(error) }),
  );
  postMessage(answer);
});
