/** The environment of a command that runs under a grant. */

import type { Grant } from '../api/grant.ts';
import { textOfOuterGrants } from '../api/outer-grants.ts';

/**
 * `base`, with KDS_TOKEN, KDS_RESOURCES, KDS_UNDER, and KDS_RECOVERED if anything was recovered.
 */
export function environmentUnder(
  grant: Grant,
  exclusive: readonly string[],
  shared: readonly string[],
  base: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const { token, recovered } = grant;
  // Variables of an outer kds.
  const { KDS_RECOVERED: _, KDS_RECOVERED_FILE: __, KDS_RESOURCES_FILE: ___, ...env } = base;
  return {
    ...env,
    KDS_TOKEN: String(token),
    KDS_RESOURCES: JSON.stringify({ exclusive, shared }),
    KDS_UNDER: textOfOuterGrants(grant),
    ...(recovered.length > 0 && { KDS_RECOVERED: JSON.stringify(recovered) }),
  };
}
