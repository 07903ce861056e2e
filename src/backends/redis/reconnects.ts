/** One listener per client, however many domains use it: Node takes more than ten for a leak. */

interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

const groups = new WeakMap<Emitter, Set<() => void>>();

/** Calls `listener` each time that the client is connected. Returns the end of that. */
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
