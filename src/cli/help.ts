/** The texts of `--help`, one per command. kds(1) and docs/cli.md have all details. */

/** The options that choose a domain; `width` is that of the other options. */
function addressLines(width = 14): string {
  const url = 'domain in Redis: redis://HOST:PORT/DB?name=NAME (default: $KDS_DOMAIN)';
  return `${optionLine('--domain URL', url, width)}\n${socketLine(width)}`;
}

function socketLine(width = 14): string {
  const path = 'broker socket (default: $KDS_SOCKET, or /tmp/kds-UID/broker.sock)';
  return optionLine('--socket PATH', path, width);
}

function optionLine(option: string, text: string, width: number): string {
  return `      ${option.padEnd(width)} ${text}`;
}

const texts: Readonly<Record<string, string>> = {
  '': `kds: take several locks at once, or none

usage: kds run [-x NAME]... [-s NAME]... [-u UNITS]... [options] [--] COMMAND [ARG]...
       kds batch [options] FILE | -
       kds ls | why NAME | break NAME | top
       kds capacity NAME [COUNT]
       kds serve | check-trace FILE
       kds completion bash | zsh | fish

  run         run a command while a set of resources is held
  batch       run many commands, ordered by the resources that they read and write
  ls          list held and waiting sets
  why         explain a resource: its holders and its queue
  break       revoke the grants that hold a resource
  capacity    print the number of units of a resource, or declare it
  top         list held and waiting sets, refreshed on the whole terminal
  serve       run the broker in the foreground instead of on demand
  check-trace check a trace, recorded by KDS_TRACE, against the rule
  completion  print a completion script for a shell

kds COMMAND --help prints the options of a command. kds --version prints the version.`,

  run: `usage: kds run [-x NAME]... [-s NAME]... [-u UNITS]... [options] [--] COMMAND [ARG]...
       kds run [-x NAME]... [-s NAME]... [-u UNITS]... [options] -c STRING

Runs COMMAND while the whole set is held. The set is granted at once, first come, first served.
At least one of -x, -s and -u is required, and no NAME is empty.

  -x, --exclusive NAME  hold NAME exclusive; also -e
  -s, --shared NAME     hold NAME shared
  -u, --units NAME=COUNT[/CAPACITY][:VARIABLE]
                        take COUNT units of NAME. /CAPACITY states how many there are: it is
                        declared while NAME is in use, or must be the one that is declared.
                        VARIABLE is set to the units, as in 0,1. NAME ends at the last =
  -n, --nonblock        do not wait; also --nb
  -w, --timeout TIME    wait at most TIME: seconds, or 500ms, 5s, 2m, 1h, 1d; also --wait
  -E, --conflict-exit-code N
                        exit code if the set is not granted in time: 0 to 255 (default 75)
  -c, --command STRING  run STRING with $SHELL -c, or with /bin/sh -c
  -o, --close           accepted as of flock(1), and always in effect: processes that the
                        command leaves running do not keep the set
      --label TEXT      printed by ls and why, and in errors of other callers
      --on-lost ACTION  if the set is lost: term (default), kill or ignore
      --kill-after TIME time from TERM to KILL, with --on-lost=term (default 10s)
${addressLines(17)}

Exit code: that of the command; 128+N if signal N ended the command or the wait; 75 not
granted in time; 64 wrong usage, or a deadlock with an outer kds run; 69 the broker or Redis
is unavailable, or has no units; 70 an internal error; 78 NAME has no capacity, fewer units, or
another capacity; 126 the command cannot be run; 127 the command does not exist. A message
gives the reason for each of 64 to 127, except for 75 with -n.`,

  batch: `usage: kds batch [options] FILE | -

Runs the commands of FILE, or of standard input. Each line is a JSON object, such as
  {"run": "cc -c a.c", "reads": ["a.c"], "writes": ["a.o"]}
Commands run in the order of the lines, in parallel where their sets and -j allow. Empty lines
and lines starting with # are ignored.

  run     a command for the shell, or a list of a program and its arguments
  reads, writes
          a name, or a list of names: held shared, or exclusive, while the command runs
  units   an object of names, with a number or "COUNT[/CAPACITY][:VARIABLE]" as of kds run -u
  id, after
          a name of the line; ids of earlier lines that must have succeeded
  label   printed by ls and why, and in errors of other callers (default: id, or the command)
  cwd, env
          directory of the command; further variables of its environment

  -j, --jobs N       run at most N commands at a time (default: the number of processors)
  -k, --keep-going   continue after a failure, and skip invalid lines
  -n, --dry-run      print the commands; run nothing
      --graph FORM   print the graph of the lines as dot, mermaid or json; run nothing
      --check        print conflicting pairs that are ordered only by their lines; run nothing
      --json         print each command as it ends, as one line of JSON
      --on-lost ACTION
                     if the set of a command is lost: term (default), kill or ignore; the
                     line has failed, except with ignore
      --kill-after TIME
                     time from TERM to KILL, with --on-lost=term (default 10s)
      --local        do not use the broker: only commands of this batch exclude each other
      --capacity NAME=COUNT
                     number of units of NAME, with --local
      --label TEXT   label of the whole batch, printed by ls --json (default "kds batch")
${addressLines()}

Exit code: 0 all lines are done; 2 a command failed, or a line was invalid; 128+N signal N
stopped the batch; 64, 69 and 70 as of kds run.`,

  ls: `usage: kds ls [--json | --names [-0]] [--watch] [--domain URL | --socket PATH]

Lists held sets, then waiting sets in order: a table on a terminal, fields separated by tabs in a
pipe.

      --json         print one line of JSON: { "version": 2, "held": [...], "pending": [...] }
      --names        print only the names of resources, one per line, quoted where needed
  -0, --null         with --names: end each name with NUL, and do not quote
      --watch        print each change; on a terminal, refresh every second
${addressLines()}`,

  why: `usage: kds why [--json] [--domain URL | --socket PATH] NAME

Prints the holders of NAME, then its queue in order.

      --json         print one line of JSON: { "version": 2, "held": [...], "pending": [...] }
${addressLines()}

Exit code: 0 if NAME is held or waited for, else 1.`,

  break: `usage: kds break [--yes] [--domain URL | --socket PATH] NAME

Revokes the grants that hold NAME, with their whole sets. Their kds run then ends its command,
except with --on-lost=ignore. Asks for confirmation first.

  -y, --yes          do not ask; required without a terminal
${addressLines()}

Exit code: 0 if NAME was held; 1 if NAME was not held, or the answer was no.`,

  capacity: `usage: kds capacity [--json] [--domain URL | --socket PATH] NAME
       kds capacity [--domain URL | --socket PATH] NAME COUNT
       kds capacity [--domain URL | --socket PATH] NAME --names LIST

Prints the capacity of NAME, or declares it or changes it, for as long as the broker runs.

      --names LIST   names of the units, separated by commas, instead of COUNT
      --json         print one line of JSON: { "version": 1, "resource": NAME, "capacity": 4,
                     "taken": 3, "waiting": 0 }, with "names" if the units have names
${addressLines()}

Exit code: 0 if NAME has a capacity, or it was declared; 1 if NAME has none; 69 the broker is
unavailable, or the domain has no units; 78 units in use would get other names.`,

  top: `usage: kds top [-d TIME] [--web [--port PORT]] [--domain URL | --socket PATH]

Lists held and waiting sets on the whole terminal, refreshed. q ends it.

  -d, --interval TIME
                     time between two refreshes (default 1s)
      --web          serve a page for a browser instead, on the loopback address
      --port PORT    port of the page (default: any free port)
${addressLines()}`,

  serve: `usage: kds serve [--idle TIME] [--grace TIME] [--metrics PORT] [--socket PATH]

Runs the broker in the foreground, until TERM, INT or HUP ends it.

      --idle TIME    exit when no client has been connected for TIME (default: never)
      --grace TIME   time in which clients of a dead broker reclaim their grants, before
                     anything new is granted (default 2s)
      --metrics PORT serve metrics for Prometheus on the loopback address (0: any free port)
${socketLine()}

Exit code: 1 if another broker serves the socket.`,

  'check-trace': `usage: kds check-trace [--json] FILE

Checks a trace against the rule. kds run, kds batch, kds serve, and the broker that they start
append to the file that KDS_TRACE names. Perfetto and chrome://tracing open such a file.

      --json         print one line of JSON: { "domains": [...], "faults": [...] }

Exit code: 1 if there are faults; 65 if FILE is not a trace, or is a trace of another version.`,

  completion: `usage: kds completion bash | zsh | fish

Prints a completion script.
  bash: eval "$(kds completion bash)"
  zsh:  eval "$(kds completion zsh)", after compinit
  fish: kds completion fish | source`,
};

/** Undefined if there is no such command. */
export function helpOf(command: string): string | undefined {
  return Object.hasOwn(texts, command) ? texts[command] : undefined;
}
