/** The page, metrics and traces of the command. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { watchEvents } from 'kds';
import { openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliHarness, freshName } from './cli-harness.ts';

const cli = new CliHarness();

beforeAll(() => cli.open());
afterAll(() => cli.close());

/** The first view that a page sends. */
async function firstView(url: string): Promise<{ resources: { name: string }[]; title: string }> {
  const stop = new AbortController();
  const answer = await fetch(`${url}events`, { signal: stop.signal });
  let text = '';
  for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    const [, data] = /event: view\ndata: (.*)\n\n/.exec(text) ?? [];
    if (data === undefined) continue;
    stop.abort();
    return JSON.parse(data);
  }
  throw new Error(`no view came: ${text}`);
}

describe('kds top --web', () => {
  it('serves the page until it is interrupted', async () => {
    const name = freshName();
    const grant = await cli.domain.acquire({ exclusive: name });
    const top = cli.kds(['top', '--web', '--interval', '100ms']);
    const [, url = ''] = await top.prints(/open (http:\S+)/);
    expect(await (await fetch(url)).text()).toContain('<title>kds</title>');
    const view = await firstView(url);
    expect(view.title).toBe(`kds at ${cli.socket}`);
    expect(view.resources.map((resource) => resource.name)).toEqual([JSON.stringify(name)]);
    await grant.release();
    top.kill('SIGINT');
    expect((await top.ended).code).toBe(0);
  });

  it.each([[['--web', '--port', '70000']], [['--web', '--port', '-1']], [['--port', '80']]])(
    'an invalid port, or one without a page, is refused: %j',
    async (args) => {
      expect((await cli.kds(['top', ...args]).ended).code).toBe(64);
    },
  );
});

describe('kds serve --metrics', () => {
  it('serves what Prometheus reads', async () => {
    const socket = cli.file('metrics.sock');
    const server = cli.kds(['serve', '--socket', socket, '--metrics', '0']);
    const [, url = ''] = await server.prints(/metrics at (http:\S+)/);
    await server.prints(/listening on/);
    expect((await cli.kds(['run', '--socket', socket, '-x', 'a', 'true']).ended).code).toBe(0);
    const text = await (await fetch(url)).text();
    expect(text).toContain('kds_grant_wait_time_seconds_count{outcome="granted"} 1');
    server.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it('has the capacities that clients declare, which do not count them as well', async () => {
    const socket = cli.file('pools.sock');
    const server = cli.kds(['serve', '--socket', socket, '--metrics', '0']);
    const [, url = ''] = await server.prints(/metrics at (http:\S+)/);
    await server.prints(/listening on/);
    const events: string[] = [];
    const stop = watchEvents((name) => events.push(name));
    const domains = [1, 2].map(() => openBrokerDomain({ socket, capacity: { gpu: 4 } }));
    const [first, second] = await Promise.all(domains);
    const grant = await first?.acquire({ units: { gpu: 3 } });
    await expect(second?.capacity('gpu')).resolves.toMatchObject({ capacity: 4, taken: 3 });
    const lines = (await (await fetch(url)).text()).split('\n');
    expect(lines).toContain('kds_resource_capacity{resource="gpu"} 4');
    expect(lines).toContain('kds_resource_taken{resource="gpu"} 3');
    await grant?.release();
    await Promise.all([first?.close(), second?.close()]);
    stop();
    expect(events).toContain('kds.request.grant');
    expect(events).not.toContain('kds.resource.capacity');
    server.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it('a port in use is reported, and nothing is served', async () => {
    const socket = cli.file('taken.sock');
    const server = cli.kds(['serve', '--socket', socket, '--metrics', '0']);
    const [, port = ''] = await server.prints(/metrics at http:\/\/127\.0\.0\.1:(\d+)/);
    const other = cli.file('other.sock');
    const second = await cli.kds(['serve', '--socket', other, '--metrics', port]).ended;
    expect(second.code).toBe(64);
    expect(second.stderr).toMatch(/^kds: cannot listen on port \d+: listen EADDRINUSE/);
    expect((await cli.kds(['serve', '--metrics', 'x']).ended).code).toBe(64);
    server.kill('SIGTERM');
    await server.ended;
  });
});

describe('KDS_TRACE and kds check-trace', () => {
  it('a run is recorded by command and broker, and passes; altered, it fails', async () => {
    const [name, path] = [freshName(), cli.file('trace.json')];
    const env = { KDS_TRACE: path };
    const socket = cli.file('traced.sock');
    const server = cli.kds(['serve', '--socket', socket], { env });
    await server.prints(/listening on/);
    const args = ['run', '--socket', socket, '-x', name, '--label', 'traced', 'true'];
    for (let turn = 0; turn < 2; turn++) {
      expect((await cli.kds(args, { env }).ended).code).toBe(0);
    }
    server.kill('SIGTERM');
    await server.ended;
    const passed = await cli.kds(['check-trace', path]).ended;
    expect(passed).toMatchObject({ code: 0, stderr: '' });
    expect(passed.stdout).toMatch(/^process: "domain 1" .*: 2 requests, 2 grants, 0 faults$/m);
    expect(passed.stdout).toMatch(/^broker: .*: 2 requests, 2 grants, 0 faults$/m);
    const lines = readFileSync(path, 'utf8').split('\n');
    const isRelease = (line: string): boolean =>
      line.includes('"kds.grant.release"') && line.includes('"backend":"process"');
    const at = lines.findIndex(isRelease);
    const altered = cli.file('altered.json');
    writeFileSync(altered, lines.filter((_, index) => index !== at).join('\n'));
    const failed = await cli.kds(['check-trace', altered]).ended;
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('came earlier and is live');
    const json = await cli.kds(['check-trace', '--json', altered]).ended;
    expect(JSON.parse(json.stdout).faults).toHaveLength(1);
  });

  const notWritten: readonly (readonly [string, string, RegExp])[] = [
    ['a directory that is missing', '/no/such/trace.json', /ENOENT/],
    ['a directory', '/', /EISDIR/],
    ...(existsSync('/dev/full') ? [['a full disk', '/dev/full', /ENOSPC/] as const] : []),
  ];

  it.each(notWritten)('%s costs the trace, not the command', async (_, path, reason) => {
    const env = { KDS_TRACE: path };
    const expectNotice = (stderr: string): void => {
      expect(stderr).toMatch(/^kds: KDS_TRACE: tracing stopped: .*\n$/);
      expect(stderr).toMatch(reason);
    };
    const run = await cli.kds(['run', '-x', freshName(), 'sh', '-c', 'exit 3'], { env }).ended;
    expect(run.code).toBe(3);
    expectNotice(run.stderr);
    const input = `${JSON.stringify({ run: 'exit 4', writes: freshName() })}\n`;
    const batch = await cli.kds(['batch', '-k', '-'], { env, input }).ended;
    expect(batch.code).toBe(2);
    expectNotice(batch.stderr.replace(/^kds: (line 1|0 of 1).*\n/gm, ''));
    expect(await cli.kds(['ls'], { env }).ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('a trace that fails in the middle costs neither command nor exit code', async () => {
    const env = { KDS_TRACE: cli.file('soon-gone/trace.json') };
    mkdirSync(cli.file('soon-gone'));
    const command = ['sh', '-c', 'rm -r "$1"; echo gone; read line; exit 6', 'sh'];
    const args = ['run', '-x', freshName(), ...command, cli.file('soon-gone')];
    const running = cli.kds(args, { env });
    await running.prints(/gone/);
    running.child.stdin?.end('\n');
    const ended = await running.ended;
    expect(ended.code).toBe(6);
    expect(ended.stderr.match(/tracing stopped/g)).toHaveLength(1);
  });

  it('a broker whose trace cannot be written serves all the same', async () => {
    const env = { KDS_TRACE: '/no/such/trace.json' };
    const socket = cli.file('untraced.sock');
    const args = ['run', '--socket', socket, '-x', 'a', 'echo', 'ran'];
    expect(await cli.kds(args, { env }).ended).toMatchObject({ code: 0, stdout: 'ran\n' });
    const domain = await openBrokerDomain({ socket, start: false });
    process.kill(domain.brokerPid, 'SIGTERM');
    await domain.close();
    const server = cli.kds(['serve', '--socket', cli.file('served.sock')], { env });
    await server.prints(/listening on/);
    expect(server.stderr).toMatch(/^kds: KDS_TRACE: tracing stopped/);
    server.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it('an invalid or missing trace is reported', async () => {
    writeFileSync(cli.file('none'), 'nothing of the kind');
    expect(await cli.kds(['check-trace', cli.file('none')]).ended).toMatchObject({
      code: 65,
      stderr: 'kds: line 1 of the trace is not an event\n',
    });
    writeFileSync(cli.file('old'), '{"name":"kds_trace","pid":1,"args":{"version":1}}\n');
    const old = await cli.kds(['check-trace', cli.file('old')]).ended;
    expect(old).toMatchObject({ code: 65, stdout: '' });
    expect(old.stderr).toMatch(/^kds: .*version/);
    expect((await cli.kds(['check-trace', cli.file('missing')]).ended).code).toBe(64);
    expect((await cli.kds(['check-trace']).ended).code).toBe(64);
  });
});
