/** What all stages do: they enter the pipeline and leave it at the page's request. */

import { openThreadsDomain, type ThreadsDomain } from 'kds/threads';
import type { Clip } from './clip.ts';
import { Line } from './line.ts';
import { Mailbox } from './mailbox.ts';
import type { FromStage, RouteName, ToStage } from './messages.ts';
import { Route, type Source } from './route.ts';
import { Scene, type Stage } from './scene.ts';

/** A stage's work until its route is closed. */
export type Work = (route: Route, scene: Scene, clip: Clip) => Promise<void>;

/** `makeWork` is called once; the canvas is that of the display. */
export function serveStage(
  stage: Stage,
  makeWork: (canvas: OffscreenCanvas | undefined) => Work,
): void {
  let domain: ThreadsDomain;
  let scene: Scene;
  let work: Work;
  let mailbox: Mailbox | undefined;
  let route: Route | undefined;
  let working: Promise<void> = Promise.resolve();

  async function start({ arena, memory, canvas }: ToStage & { kind: 'start' }): Promise<void> {
    domain = openThreadsDomain(arena, { label: stage });
    scene = new Scene(memory);
    work = makeWork(canvas);
    // From here on a set arrives when it is requested.
    await domain.ready;
    send({ kind: 'ready' });
  }

  function enter({ route: name, clip }: ToStage & { kind: 'enter' }): void {
    route = new Route(sourceOf(name), scene, stage);
    working = work(route, scene, clip).catch(fail);
    send({ kind: 'entered' });
  }

  function sourceOf(name: RouteName): Source {
    if (name === 'kds') return new Line(domain, scene, stage, () => send({ kind: 'broken' }));
    mailbox = new Mailbox((number) => send({ kind: 'passed', number }));
    return mailbox;
  }

  async function leave(): Promise<void> {
    await route?.close();
    await working;
    send({ kind: 'left' });
  }

  addEventListener('message', ({ data }: MessageEvent<ToStage>) => {
    if (data.kind === 'turn') mailbox?.receive(data);
    else if (data.kind === 'start') start(data).catch(fail);
    else if (data.kind === 'enter') enter(data);
    else leave().catch(fail);
  });
}

function fail(error: unknown): void {
  send({ kind: 'failed', message: error instanceof Error ? (error.stack ?? '') : String(error) });
}

function send(message: FromStage): void {
  postMessage(message);
}
