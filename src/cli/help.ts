/** The texts of `--help`, one per command. kds(1) and docs/cli.md have all details. */

/** The options that choose a domain, beside options of that width. */
function addressLines(width = 14): string {
  const url = 'in Redis: redis://HOST:PORT/DB?name=NAME (default: KDS_DOMAIN)';
  return [optionLine('--domain URL', url, width), socketLine('the broker', width)].join('\n');
}

function socketLine(what: string, width = 14): string {
  return optionLine('--socket PATH', `${what} (default: KDS_SOCKET, or your own)`, width);
}

function optionLine(option: string, what: string, width: number): string {
  return `      ${option.padEnd(width)} ${what}`;
}

const texts: Readonly<Record<string, string>> = {
  '': `kds: take several locks at once, or none

usage: kds run [-x NAME]... [-s NAME]... [options] [--] COMMAND [ARG]...
       kds batch [options] FILE | -
       kds ls | why NAME | break NAME | top
       kds serve | check-trace FILE
       kds completion bash | zsh | fish

  run         run a command while a set of resources is held
  batch       run many commands, each when what it reads and writes is free
  ls          all held and waiting sets
  why         the holders of a resource, and its queue
  break       revoke the grants that hold a resource
  top         the listing, refreshed
  serve       the broker in the foreground; otherwise it is started on demand
  check-trace check a run that KDS_TRACE recorded against the rule
  completion  print the completion of a shell

kds COMMAND --help prints its options. kds --version prints the version.`,

  run: `usage: kds run [-x NAME]... [-s NAME]... [options] [--] COMMAND [ARG]...
       kds run [-x NAME]... [-s NAME]... [options] -c STRING

Runs COMMAND while the whole set is held, acquired at once: first come, first served.
At least one NAME is needed; an empty name is refused.

  -x, --exclusive NAME  hold NAME exclusive; also -e
  -s, --shared NAME     hold NAME shared
  -n, --nonblock        do not wait
  -w, --timeout TIME    limit of the wait: seconds, or 500ms, 5s, 2m, 1h, 1d
  -E, --conflict-exit-code N
                        end with N if not granted in time (0 to 255; default 75)
  -c, --command STRING  run STRING by $SHELL -c, or /bin/sh -c
  -o, --close           accepted as of flock(1), and always in force: processes that the
                        command leaves running do not keep the set
      --label TEXT      printed by ls and why, and in errors of other callers
      --on-lost HOW     if the set is lost: term (default), kill or ignore
      --kill-after TIME time from term to kill (default 10s)
${addressLines(17)}

Exit code: the command's own; 128+N if signal N ended it; 75 not granted in time;
69 the broker, or Redis, is unavailable; 64 wrong usage, or a deadlock with an outer kds
run; 126 cannot be run; 127 not found. A reason is printed for each of these.`,

  batch: `usage: kds batch [options] FILE | -

Runs the commands of FILE, or of standard input: a JSON object a line, as
  {"run": "cc -c a.c", "reads": ["a.c"], "writes": ["a.o"]}
in the order of the lines, as many at a time as what they read and write allows. Empty lines
and lines starting with # are ignored.

  run     a command for the shell, or a list of a program and its arguments
  reads, writes
          a name, or a list of names: shared, and exclusive, while the command runs
  id, after
          a name of the line; ids of earlier lines that must have succeeded before
  label, cwd, env
          printed by ls and why; the directory and more environment of the command

  -j, --jobs N       commands at a time, at most (default: the number of processors)
  -k, --keep-going   go on after a failure, and past invalid lines
  -n, --dry-run      print the commands, and run none
      --graph FORM   print the graph of the lines: dot, mermaid or json; run none
      --check        print the pairs whose order only the order of lines determines
      --json         a line of JSON for each command as it ends
      --on-lost HOW  if the set of a command is lost: term (default), kill or
                     ignore; unless ignored, its line has failed
      --kill-after TIME
                     from term to kill (default 10s)
      --local        without the broker: exclude only commands of this batch
      --label TEXT   printed by ls and why (default "kds batch")
${addressLines()}

Exit code: 0 all done; 2 something failed, or a line was invalid; 128+N stopped by signal N.`,

  ls: `usage: kds ls [--json | --names [-0]] [--watch] [--domain URL | --socket PATH]

Held sets, then waiting ones, in order: a table on a terminal, lines with tabs in a pipe.

      --json         one line of JSON: { "version": 2, "held": [...], "pending": [...] }
      --names        only the names of resources, a line each, quoted where needed
  -0, --null         with --names: a NUL after each, nothing quoted
      --watch        again each second; in a pipe, whenever it has changed
${addressLines()}`,

  why: `usage: kds why [--json] [--domain URL | --socket PATH] NAME

The holders of NAME, then its queue, in order. Exits with 1 if NAME is not in use.

      --json         one line of JSON: { "version": 2, "held": [...], "pending": [...] }
${addressLines()}`,

  break: `usage: kds break [--yes] [--domain URL | --socket PATH] NAME

Revokes the grants that hold NAME, with their whole sets. A command of kds run is ended with its
grant, unless --on-lost ignore was given. Asks first. Exits with 1 if nothing was done.

  -y, --yes          do not ask
${addressLines()}`,

  top: `usage: kds top [-d TIME] [--web [--port PORT]] [--domain URL | --socket PATH]

The listing on the whole terminal. q ends it.

  -d, --interval TIME  between two refreshes (default 1s)
      --web          a page for a browser instead, on the loopback address
      --port PORT    the port of the page (default: any free port)
${addressLines()}`,

  serve: `usage: kds serve [--idle TIME] [--grace TIME] [--metrics PORT] [--socket PATH]

The broker in the foreground. Ends with 1 if another one serves there already.

      --idle TIME    exit when no client has been connected for TIME (default: never)
      --grace TIME   time after the death of a broker in which its clients reclaim their
                     grants, before anything is granted (default 2s)
      --metrics PORT metrics for Prometheus, on the loopback address (0: any port)
${socketLine('the socket of the broker')}`,

  'check-trace': `usage: kds check-trace [--json] FILE

Checks a recorded run against the rule: kds run, kds batch, kds serve, and the broker that they
start append to the file that KDS_TRACE names. Perfetto and chrome://tracing open it. Ends
with 1 if there are faults.

      --json         one line of JSON: { "domains": [...], "faults": [...] }`,

  completion: `usage: kds completion bash | zsh | fish

Prints a completion. In bash: eval "$(kds completion bash)", in zsh the same with zsh, after
compinit; in fish: kds completion fish | source.`,
};

/** Undefined if there is no such command. */
export function helpOf(command: string): string | undefined {
  return Object.hasOwn(texts, command) ? texts[command] : undefined;
}
