/** One listener a client, however many domains use it: of more than ten Node warns as of a leak. */

interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

const groups = new WeakMap<Emitter, Set<() => void>>();

/** `listener` is told each time that the client is connected. Returns what ends that. */
export function onReady(client: Emitter, listener: () => void): () => void {
  const group = groups.get(client) ?? listen(client);
  group.add(listener);
  return () => void group.delete(listener);
}

function listen(client: Emitter): Set<() => void> {
  const group = new Set<() => void>();
  groups.set(client, group);
  client.on('ready', () => {
    for (const listener of [...group]) listener();
  });
  return group;
}
