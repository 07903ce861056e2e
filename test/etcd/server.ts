/**
 * Real etcd members of the tests' own, on free ports of the loopback interface, with their data in
 * a temporary directory. They can be stopped, killed and started again on what they had written.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerNetwork } from './peer-network.ts';

export const hasEtcd = spawnSync('etcd', ['--version']).status === 0;

const startMsMax = 600_000;
/** Somebody else may take a port that was free. */
const attemptsMax = 5;

export interface EtcdSettings {
  readonly memberCount?: number;
  /** Ms between heartbeats of the leader; an election begins after ten of them. */
  readonly heartbeatMs?: number;
  /** Whether members can be parted from each other. */
  readonly canPart?: boolean;
  /** Whether clients speak TLS to them: see {@link EtcdMember.certificate}. */
  readonly isSecure?: boolean;
  /** Of its data, before it takes no more: at least as much as it begins with, some 64 KiB. */
  readonly quotaBytes?: number;
  /** More options of the command line. */
  readonly options?: readonly string[];
}

export class EtcdMember {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly isSecure: boolean;
  readonly #folder: string;
  #args: readonly string[] = [];
  #child: ChildProcess | undefined;

  constructor(
    name: string,
    [clientPort, peerPort]: readonly [number, number],
    folder: string,
    isSecure: boolean,
  ) {
    this.name = name;
    this.clientPort = clientPort;
    this.peerPort = peerPort;
    this.isSecure = isSecure;
    this.#folder = folder;
  }

  get url(): string {
    return `http${this.isSecure ? 's' : ''}://127.0.0.1:${this.clientPort}`;
  }

  /** That it has made for itself: whoever trusts it trusts this member. */
  get certificate(): string {
    return readFileSync(join(this.#folder, this.name, 'fixtures/client/cert.pem'), 'utf8');
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && !this.#child.signalCode;
  }

  launch(args: readonly string[] = this.#args): void {
    this.#args = args;
    const log = openSync(join(this.#folder, `${this.name}.log`), 'a');
    this.#child = spawn('etcd', args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  /** Ends it, and starts it with further options: the last of a name counts. */
  async relaunch(...options: readonly string[]): Promise<void> {
    await this.kill();
    this.launch([...this.#args, ...options]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** By its gateway; undefined if it does not answer, or refuses. */
  async call(
    path: string,
    body: object,
    authorization?: string,
  ): Promise<Record<string, unknown> | undefined> {
    try {
      const signal = AbortSignal.timeout(5000);
      const headers = authorization === undefined ? {} : { authorization };
      const url = new URL(path, this.url);
      const request = this.isSecure
        ? requestSecure(url, { method: 'POST', signal, headers, ca: this.certificate })
        : requestPlain(url, { method: 'POST', signal, headers });
      request.end(JSON.stringify(body));
      const [answer] = (await once(request, 'response')) as [IncomingMessage];
      let text = '';
      for await (const chunk of answer) text += chunk;
      return answer.statusCode === 200 ? JSON.parse(text) : undefined;
    } catch {
      return undefined;
    }
  }

  readLog(): string {
    return readFileSync(join(this.#folder, `${this.name}.log`), 'utf8').slice(-4000);
  }
}

export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;
  readonly #peers: PeerNetwork | undefined;

  private constructor(
    members: readonly EtcdMember[],
    folder: string,
    peers: PeerNetwork | undefined,
  ) {
    this.members = members;
    this.#folder = folder;
    this.#peers = peers;
  }

  /** When each member answers. */
  static async start(settings: EtcdSettings = {}): Promise<EtcdCluster> {
    for (let attempt = 1; ; attempt++) {
      const cluster = await EtcdCluster.#launch(settings);
      if (await cluster.#isReady()) return cluster;
      const logs = cluster.members.map((member) => member.readLog()).join('\n');
      await cluster.remove();
      if (attempt === attemptsMax) throw new Error(`etcd does not start:\n${logs}`);
    }
  }

  static async #launch({
    memberCount = 1,
    heartbeatMs = 100,
    canPart = false,
    isSecure = false,
    quotaBytes,
    options = [],
  }: EtcdSettings): Promise<EtcdCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'kds-etcd-'));
    const ports = await freePorts(2 * memberCount);
    const members = Array.from({ length: memberCount }, (_, index) => {
      const [client = 0, peer = 0] = ports.slice(2 * index);
      return new EtcdMember(`m${index}`, [client, peer], folder, isSecure);
    });
    const peerPorts = members.map(({ peerPort }) => peerPort);
    const peers = canPart ? await PeerNetwork.before(peerPorts) : undefined;
    const toldUrls = (peers?.ports ?? peerPorts).map((port) => `http://127.0.0.1:${port}`);
    const all = members.map(({ name }, index) => `${name}=${toldUrls[index]}`).join(',');
    for (const [index, member] of members.entries()) {
      member.launch([
        ...['--name', member.name, '--data-dir', join(folder, member.name)],
        ...['--listen-client-urls', member.url, '--advertise-client-urls', member.url],
        ...['--listen-peer-urls', `http://127.0.0.1:${member.peerPort}`],
        ...['--initial-advertise-peer-urls', toldUrls[index] as string, '--initial-cluster', all],
        ...['--heartbeat-interval', String(heartbeatMs)],
        ...['--election-timeout', String(heartbeatMs * 10)],
        ...(isSecure ? ['--auto-tls'] : []),
        ...(quotaBytes ? ['--quota-backend-bytes', String(quotaBytes)] : []),
        ...options,
        // These tests do not concern the disk.
        '--unsafe-no-fsync',
      ]);
    }
    return new EtcdCluster(members, folder, peers);
  }

  get hosts(): readonly string[] {
    return this.members.map(({ url }) => url);
  }

  /** Of the members that answer, the one that leads. */
  async leader(): Promise<EtcdMember> {
    const endMs = performance.now() + startMsMax;
    while (performance.now() < endMs) {
      for (const member of this.members) {
        const status = await member.call('/v3/maintenance/status', {});
        const { member_id } = (status?.['header'] ?? {}) as Record<string, unknown>;
        if (status !== undefined && status['leader'] === member_id) return member;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('no member leads');
  }

  /** Until `heal` the others and this one do not hear of each other; clients reach them all. */
  async part(member: EtcdMember): Promise<void> {
    const status = await member.call('/v3/maintenance/status', {});
    const { member_id } = (status?.['header'] ?? {}) as { readonly member_id?: string };
    if (member_id === undefined) return;
    this.#peers?.part(this.members.indexOf(member), BigInt(member_id).toString(16));
  }

  heal(): void {
    this.#peers?.heal();
  }

  async remove(): Promise<void> {
    for (const member of this.members) member.signal('SIGCONT');
    await Promise.all(this.members.map((member) => member.kill()));
    await this.#peers?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isReady(): Promise<boolean> {
    const endMs = performance.now() + startMsMax;
    for (const member of this.members) {
      while ((await member.call('/v3/kv/range', { key: 'AA==' })) === undefined) {
        if (!member.isRunning || performance.now() > endMs) return false;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    return true;
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
  return ports;
}
