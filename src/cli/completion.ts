/** `kds completion SHELL`: scripts that complete commands, options, and names that are in use. */

import { readChoice, readOnly, readOptions } from './arguments.ts';
import { exitCode } from './exit-codes.ts';
import { print } from './output.ts';

const options = { help: { type: 'boolean', short: 'h' } } as const;

export async function completion(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  const shell = readChoice(readOnly(positionals, 'SHELL'), ['bash', 'zsh', 'fish'], 'SHELL');
  print(scripts[shell]);
  return exitCode.done;
}

const commands = 'run batch ls why break capacity top serve check-trace completion help';

/** Options by command; those that end in `=` take a value. */
const optionsOf = {
  run: [
    ...['-x=', '-s=', '-e=', '-u=', '-n', '-w=', '-E=', '-o', '-c='],
    ...[
      '--exclusive=',
      '--shared=',
      '--units=',
      '--nonblock',
      '--timeout=',
      '--conflict-exit-code=',
    ],
    ...[
      '--close',
      '--command=',
      '--label=',
      '--on-lost=',
      '--kill-after=',
      '--domain=',
      '--socket=',
    ],
    '--help',
  ],
  batch: [
    ...['-j=', '-k', '-n', '--jobs=', '--keep-going', '--dry-run', '--graph=', '--check'],
    ...['--json', '--local', '--capacity=', '--label=', '--on-lost=', '--kill-after='],
    ...['--domain=', '--socket=', '--help'],
  ],
  ls: ['--json', '--names', '-0', '--null', '--watch', '--domain=', '--socket=', '--help'],
  why: ['--json', '--domain=', '--socket=', '--help'],
  capacity: ['--names=', '--json', '--domain=', '--socket=', '--help'],
  break: ['--yes', '--domain=', '--socket=', '--help'],
  top: ['--interval=', '--web', '--port=', '--domain=', '--socket=', '--help'],
  serve: ['--idle=', '--grace=', '--metrics=', '--socket=', '--help'],
  'check-trace': ['--json', '--help'],
} as const;

type Completed = keyof typeof optionsOf;

function words(command: Completed): string {
  return optionsOf[command].map((option) => option.replace(/=$/, '')).join(' ');
}

const completed = Object.keys(optionsOf) as Completed[];

const bash = `# kds: eval "$(kds completion bash)"
_kds_names() {
  # Quoted for the shell.
  local name
  while IFS= read -r -d '' name; do
    case $name in "$1"*) COMPREPLY+=("$(printf %q "$name")") ;; esac
  done < <(kds ls --names -0 2>/dev/null)
}
_kds() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} word at
  local command=\${COMP_WORDS[1]} options=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '${commands} --help --version' -- "$current")
    return
  fi
  if [ "$command" = run ]; then
    # From COMMAND on, words are completed as for that command.
    at=2
    while [ "$at" -lt "$COMP_CWORD" ]; do
      word=\${COMP_WORDS[at]}
      case $word in
        --) at=$((at + 1)); break ;;
        -x|-s|-e|-u|-w|-E|-c|--exclusive|--shared|--units|--timeout|--wait|\\
        --conflict-exit-code|--command|--label|--on-lost|--kill-after|--domain|--socket)
          # bash separates words at = and : too.
          if [ "\${COMP_WORDS[at+1]-}" = '=' ]; then at=$((at + 1)); fi
          at=$((at + 2))
          while [[ \${COMP_WORDS[at]-} == [=:] ]]; do at=$((at + 2)); done ;;
        -*) at=$((at + 1)) ;;
        *) break ;;
      esac
    done
    if [ "$at" -lt "$COMP_CWORD" ] ||
      { [ "$at" -eq "$COMP_CWORD" ] && [ "\${current#-}" = "$current" ]; }; then
      if declare -F _command_offset >/dev/null; then _command_offset "$at"
      elif [ "$at" -eq "$COMP_CWORD" ]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$current" | sort -u)
      else mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi
      return
    fi
  fi
  case $previous in
    -x|-s|-e|-u|--exclusive|--shared|--units)
      _kds_names "$current"
      return ;;
    --on-lost)
      mapfile -t COMPREPLY < <(compgen -W 'term kill ignore' -- "$current")
      return ;;
    --socket)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
    -w|-E|-c|-d|--timeout|--wait|--conflict-exit-code|--command|--label|--kill-after|--interval|\\
    --idle|--grace|--domain|--metrics|--port|--names|--capacity) return ;;
  esac
  case $command in
${completed.map((name) => `    ${name}) options='${words(name)}' ;;`).join('\n')}
    completion) options='bash zsh fish --help' ;;
    help) options='${commands}' ;;
  esac
  case $command in
    why|break|capacity)
      if [ "\${current#-}" = "$current" ]; then
        _kds_names "$current"
        return
      fi ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}
complete -F _kds kds`;

const zsh = `#compdef kds
# kds: eval "$(kds completion zsh)", after compinit
_kds_names() {
  local -a names
  names=(\${(0)"$(kds ls --names -0 2>/dev/null)"})
  compadd -a names
}
_kds() {
  local -a socket domain
  socket=('--socket[socket of the broker]:socket:_files' '(-h --help)'{-h,--help}'[help]')
  domain=($socket '--domain[domain in Redis]:URL:')
  if (( CURRENT == 2 )); then
    compadd ${commands} --help --version
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
    run)
      _arguments -S $domain \\
        '*'{-x,-e,--exclusive}'[hold exclusive]:name:_kds_names' \\
        '*'{-s,--shared}'[hold shared]:name:_kds_names' \\
        '*'{-u,--units}'[take units]:name=count:_kds_names' \\
        '(-n --nonblock)'{-n,--nonblock}'[do not wait]' \\
        '(-w --timeout)'{-w,--timeout}'[limit of the wait]:time:' \\
        '(-E --conflict-exit-code)'{-E,--conflict-exit-code}'[exit code if not granted]:code:' \\
        '(-o --close)'{-o,--close}'[accepted as of flock]' \\
        '(-c --command)'{-c,--command}'[run with the shell]:command:' \\
        '--label[printed by ls and why]:text:' \\
        '--on-lost[if the set is lost]:action:(term kill ignore)' \\
        '--kill-after[from TERM to KILL]:time:' \\
        '(-):command: _command_names -e' \\
        '*::arguments: _normal' ;;
    batch)
      _arguments $domain '(-j --jobs)'{-j,--jobs}'[commands at a time]:number:' \\
        '(-k --keep-going)'{-k,--keep-going}'[continue after a failure]' \\
        '(-n --dry-run)'{-n,--dry-run}'[print the commands, run nothing]' \\
        '--graph[print the graph of the lines]:form:(dot mermaid json)' \\
        '--check[print pairs ordered only by their lines]' \\
        '--json[print each command as it ends]' \\
        '--on-lost[if the set is lost]:action:(term kill ignore)' \\
        '--kill-after[from TERM to KILL]:time:' \\
        '--local[without the broker]' '*--capacity[of a local resource]:name=count:' \\
        '--label[label of the batch]:text:' ':file:_files' ;;
    ls) _arguments $domain '--json[JSON]' '--names[only names]' \\
        '(-0 --null)'{-0,--null}'[end names with NUL]' '--watch[print each change]' ;;
    why) _arguments $domain '--json[JSON]' ':name:_kds_names' ;;
    capacity) _arguments $domain '--names[of the units]:names:' '--json[JSON]' \\
        ':name:_kds_names' ':count:' ;;
    break) _arguments $domain '(-y --yes)'{-y,--yes}'[do not ask]' ':name:_kds_names' ;;
    top)
      _arguments $domain '(-d --interval)'{-d,--interval}'[time between refreshes]:time:' \\
        '--web[a page for a browser]' '--port[port of the page]:port:' ;;
    serve)
      _arguments $socket '--idle[exit when idle]:time:' '--grace[for reclaims]:time:' \\
        '--metrics[metrics for Prometheus]:port:' ;;
    check-trace) _arguments '--json[JSON]' ':file:_files' ;;
    completion) compadd bash zsh fish ;;
    help) compadd ${commands} ;;
  esac
}
compdef _kds kds`;

const fishNames = '(kds ls --names -0 2>/dev/null | string split0)';

const fish = `# kds: kds completion fish | source
function __kds_at
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end
function __kds_first
    test (count (commandline -opc)) -eq 1
end
complete -c kds -f
complete -c kds -n __kds_first -a '${commands}'
complete -c kds -n __kds_first -l help
complete -c kds -n __kds_first -l version
${completed.flatMap((name) => optionsOf[name].map((option) => fishOption(name, option))).join('\n')}
complete -c kds -n '__kds_at why break capacity' -a '${fishNames}'
complete -c kds -n '__kds_at completion' -a 'bash zsh fish'
complete -c kds -n '__kds_at run' -a '(__fish_complete_subcommand)'`;

function fishOption(command: Completed, option: string): string {
  const name = option.replace(/=$/, '');
  const spelt = name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`;
  const line = `complete -c kds -n '__kds_at ${command}' ${spelt}`;
  if (!option.endsWith('=')) return line;
  if (name === '--on-lost') return `${line} -xa 'term kill ignore'`;
  if (name === '--socket') return `${line} -rF`;
  const isName = ['-x', '-s', '-e', '-u', '--exclusive', '--shared', '--units'].includes(name);
  return isName ? `${line} -xa '${fishNames}'` : `${line} -x`;
}

const scripts = { bash, zsh, fish } as const;
