/** What the runners report in their JSON, test by test: how the last attempt ended, and why. */

import { readFileSync } from 'node:fs';

/** By title: the status, and for a failure the first line of its error. */
export type Outcomes = Readonly<Record<string, string>>;

interface VitestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

export function readVitestReport(path: string): Outcomes {
  const { testResults } = JSON.parse(readFileSync(path, 'utf8')) as VitestReport;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return Object.fromEntries(
    tests.map(({ title, status, failureMessages: [message] }) => [title, inWords(status, message)]),
  );
}

interface PlaywrightSuite {
  readonly suites?: readonly PlaywrightSuite[];
  readonly specs: readonly {
    readonly title: string;
    readonly tests: readonly {
      readonly results: readonly {
        readonly status: string;
        readonly error?: { readonly message: string };
      }[];
    }[];
  }[];
}

export function readPlaywrightReport(path: string): Outcomes {
  const found: Record<string, string> = {};
  const collect = ({ suites = [], specs }: PlaywrightSuite): void => {
    for (const { title, tests } of specs) {
      const last = tests[0]?.results.at(-1);
      if (last !== undefined) found[title] = inWords(last.status, last.error?.message);
    }
    for (const suite of suites) collect(suite);
  };
  collect({ ...(JSON.parse(readFileSync(path, 'utf8')) as PlaywrightSuite), specs: [] });
  return found;
}

function inWords(status: string, message: string | undefined): string {
  // One that passed may have failed before.
  if (message === undefined || status === 'passed') return status;
  return `${status}: ${message.split('\n', 1)[0]}`;
}
