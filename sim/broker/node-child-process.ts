/** node:child_process of the simulated system: a program that prints a line and runs on. */

import { EventEmitter } from 'node:events';
import { theSystem } from './system.ts';

class Output extends EventEmitter {
  setEncoding(): void {}
  destroy(): void {
    this.removeAllListeners();
  }
}

export class ChildProcess extends EventEmitter {
  readonly stdout = new Output();
  unref(): void {}
}

export function spawn(_path: string, args: readonly string[]): ChildProcess {
  const system = theSystem();
  const parent = system.process;
  const child = new ChildProcess();
  const deliver = (run: () => void): void => {
    system.world.clock.after(system.delayMs(), () => parent.receive(run));
  };
  system.spawn(
    args,
    (text) => deliver(() => child.stdout.emit('data', text)),
    () => deliver(() => child.stdout.emit('end')),
  );
  return child;
}
