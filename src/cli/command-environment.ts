/** What a command that runs under a grant finds in its environment. */

import type { Grant } from '../domain/grant.ts';

/** `base`, with KDS_TOKEN, KDS_RESOURCES, and KDS_RECOVERED if something was. */
export function environmentUnder(
  { token, recovered }: Grant,
  exclusive: readonly string[],
  shared: readonly string[],
  base: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const { KDS_RECOVERED: _, ...env } = base;
  return {
    ...env,
    KDS_TOKEN: String(token),
    KDS_RESOURCES: JSON.stringify({ exclusive, shared }),
    ...(recovered.length > 0 && { KDS_RECOVERED: JSON.stringify(recovered) }),
  };
}
