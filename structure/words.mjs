/**
 * The words that docs/glossary.md replaces, and how many of them a text has.
 *
 * A word is found in prose and in identifiers: `isRobbed`, `#heard` and `LINK_THIEF` are split where
 * a capital or a character that is no letter begins a new part. So `tell` is not in `intellectual`.
 * A word with a proper meaning elsewhere has the paths where it counts, or the texts that are passed
 * over (`except`).
 */

const domains = /^src\/(core|local|backends\/(process|threads))\//;
const backends = /^src\/(remote|backends)\//;
const broker = /^(src\/backends\/broker\/|docs\/broker\.md)/;
const etcd = /^(src\/backends\/etcd\/|docs\/etcd\.md)/;
const leases = /^(src\/backends\/(redis|etcd)\/|docs\/(redis|etcd)\.md)/;

/**
 * `words` are parts of identifiers or whole words, in lower case; `phrases` find what is more than
 * one part.
 */
const terms = [
  { write: 'report, notify, receive, print', words: 'tell tells told telling untold' },
  { write: 'receive, is notified', words: 'hear hears heard hearing unheard' },
  { write: 'print, state, report', words: 'say says said saying' },
  { write: 'read, check, inspect', words: 'look looks looked looking' },
  { write: 'notifications, delta', words: 'news' },
  { write: 'cycle', words: 'circle circles' },
  { write: 'steal, revoke', words: 'thief thieves theft thefts rob robs robbed robbing' },
  { write: 'reap, SessionReaper', words: 'bury buries buried burying burial burials' },
  { write: 'expired session', phrases: /\bthe (dead|gone)\b/gi },
  { write: 'LeasedSession, SessionConfig', words: 'tenancy tenancies' },
  { write: 'Backend', phrases: /\b(Remote|Redis|Etcd|Broker)Link\b/g },
  { write: 'PendingRequest', phrases: /\bas[k]ed\b|\bExpected\b|#expected\b/gi, only: backends },
  {
    write: 'queuePosition, socketPath, RequestKey, slot, ordinal',
    words: 'place places',
    // There are places on a globe.
    only: /^(?!examples\/globe)/,
    except: /\bin (its |their )?place( of)?\b|\b(takes?|took) place\b/gi,
  },
  { write: 'term', words: 'life lives heirs', only: broker },
  { write: 'connect, handshake', words: 'dial dials dialled greet greets greeting' },
  {
    write: 'describe, quote, print',
    words: 'shown',
    phrases: /\bin-?words\b|InWords\b/g,
    // A frame is shown on a display.
    only: /^(?!src\/recipes\/display\/|docs\/(display|guides\/frame-pipeline)|examples\/(globe|video))/,
  },
  { write: 'emitStart, events', phrases: /\bnote(Start|Miss)|event-notes/g },
  { write: 'outcome, grantable, lazy, dropHolding', words: 'fate ripe seldom unkeep' },
  { write: 'markDirty', words: 'touch touches', only: leases },
  { write: 'added, removed', words: 'born gone', only: etcd },
  { write: 'DerivedState', words: 'fold folds folded folding', only: etcd },
  { write: 'reconcile, deleteOrphan', words: 'stray strays', phrases: /\bthinkOver\b/g },
  { write: 'heartbeat', words: 'beat beats beating' },
  { write: 'keep-alive', words: 'awake', only: leases },
  {
    write: 'observe, hasSubscribers, attachWorker, subscribe',
    words: 'watch watches watched watching watcher watchers',
    // Etcd and node:fs have watches, and `ls --watch` and `watchEvents` are public names.
    only: /^src\/(core|local|api|remote|backends\/(process|threads|broker|redis))\//,
    except: /\bwatchEvents\b|\bFSWatcher(, watch)?\b|= watch\(/g,
  },
  {
    write: 'notifyObservers, drain, resolveWaiters, initialise',
    words: 'settle settles settling',
  },
  {
    write: 'the recovered flag',
    words: 'mark marks marked unmarked unusual',
    only: /^src\/(core|local|backends\/(threads|etcd|broker))\//,
    except: /\bmarkDirty\b/g,
  },
  { write: 'observer entry, list', words: 'eye eyes ring rings', only: domains },
  { write: 'grantedAt, owner', words: 'note notes noted tag tags tagged', only: domains },
  { write: 'begin, commit, abort', words: 'enter enters leave leaves undo', only: domains },
  { write: 'retryLater, retry', words: 'owe owes owed equip', phrases: /\baskAgain\b/g },
  { write: 'CoreReader', phrases: /sets-?in-?view|\bhost-?sets\b/gi },
  {
    write: 'HeldContext, nested',
    words: 'carry carries carried carrying',
    // An option of 0.1.0, which the changelog names.
    except: /`carryHolding: true`/g,
  },
  { write: 'register, deregister', words: 'enrol enrols vacate vacates' },
  { write: 'liveness, doorbell', words: 'neighbour neighbours bell bells' },
  { write: 'JobScope, parent, delegated', words: 'family lender lent', only: /recipes|jobs/ },
  { write: 'recipes, test-runners', phrases: /\bsrc\/(clients|adapters|hosts|domain)\b/g },
  { write: 'module, folder', words: 'rooms' },
  {
    write: 'backend',
    words: 'host hosts',
    // A machine, in the interfaces of Node, Redis, etcd, HTTP and the shell.
    except:
      /\b(client\??\.|headers\.|ssh |kds\.)host\b|their Host\b|\bpid, host\b|\bhost(name)?\??[:,]|\bHOST\b/g,
    only: new RegExp(
      /^(?!src\/(cli\/(domain-address|redis-client|waiting-notice)|backends\/etcd)\b)/.source +
        /(?!src\/backends\/redis\/messages)(?!docs\/etcd)(?!examples\/globe)/.source,
    ),
  },
  { write: 'a noun', words: 'whoever', phrases: /(?<=^|[.:] |\* |\/\/ )Who\b(?![^.?]*\?)/gm },
  {
    write: 'a limit or a count',
    phrases: /\b(for|after|wait) so long\b|\bso many\b|\bby so much\b/g,
  },
];

const termOfWord = new Map(
  terms.flatMap((term) => (term.words ?? '').split(' ').map((word) => [word, term])),
);

/** Places of old words in the text of a file: `{ line, word, write }`, in order. */
export function oldWordsOf(path, source) {
  // What was renamed has its old name there.
  const isHistory = path === 'CHANGELOG.md';
  const text = isHistory
    ? source.replaceAll(/`[^`]*`/g, (code) => ' '.repeat(code.length))
    : source;
  const found = [];
  const add = (index, word, { write }) => {
    found.push({ line: text.slice(0, index).split('\n').length, word, write });
  };
  const counts = ({ only }) => only === undefined || only.test(path);
  const blanked = new Map();
  const isExcepted = ({ except }, index) => {
    if (except === undefined) return false;
    if (!blanked.has(except)) {
      blanked.set(
        except,
        text.replace(except, (match) => ' '.repeat(match.length)),
      );
    }
    return blanked.get(except)[index] === ' ';
  };
  for (const { 0: part, index } of text.matchAll(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g)) {
    const term = termOfWord.get(part.toLowerCase());
    if (term === undefined || !counts(term) || isExcepted(term, index)) continue;
    add(index, part, term);
  }
  for (const term of terms) {
    if (term.phrases === undefined || !counts(term)) continue;
    for (const { 0: phrase, index } of text.matchAll(term.phrases)) add(index, phrase, term);
  }
  return found.sort((one, other) => one.line - other.line);
}

/** The folder that a file is counted under: `src/api`, `src/backends/redis`, `docs/guides`. */
function folderOf(path) {
  const parts = path.split('/');
  if (parts[0] === 'docs' && parts.length > 2) return `docs/${parts[1]}`;
  if (parts[0] !== 'src') return parts.length === 1 ? path : parts[0];
  const depth = /^(backends|recipes|hosts|clients)$/.test(parts[1]) ? 3 : 2;
  return parts.slice(0, Math.min(depth, parts.length - 1)).join('/');
}

/** Whether a file is counted: the sources, the examples, and all documents but the glossary. */
export function isCounted(path) {
  if (path === 'docs/glossary.md') return false;
  return (
    /^[^/]*\.md$/.test(path) ||
    /^src\/.*\.(ts|lua|html)$/.test(path) ||
    /^docs\/.*\.md$/.test(path) ||
    /^man\//.test(path) ||
    /^examples\/.*\.(ts|mjs|html|py|md)$/.test(path)
  );
}

/** How many old words each folder has, where it has any; `files` are `{ path, text }`. */
export function countsOf(files) {
  const counts = {};
  for (const { path, text } of files) {
    const { length } = oldWordsOf(path, text);
    if (length > 0) counts[folderOf(path)] = (counts[folderOf(path)] ?? 0) + length;
  }
  return counts;
}
