/**
 * Where everything lies in the words.
 *
 * Memory is cut into slots of eight words, so that two fill a cache line and one free list serves
 * all kinds: memory once used for links can be used for sets. The first slots are the header. A
 * reference to a slot is the index of its first word; 0, the header, is nobody. Slots begin at a
 * multiple of eight, so `slot | FIELD` is `slot + FIELD`, and the engine need not fear an overflow.
 *
 *   set       one request, from enqueue to remove: waiting, then granted
 *   link      a set's position in the queue of one resource
 *   resource  a queue of links in arrival order, and the units that its triggered links take
 *   annex     the fields that most resources do without: a declared capacity, observers
 *   observation  an observer's entry on one resource; an observer is a set that blocks no other
 *   edge      "while this set waits, its caller keeps that grant"; or a range of numbers of units
 *   backend   what the backend keeps beside them
 */

export const SLOT_WORDS = 8;
export const NOBODY = 0;

// Header. Word 0 is never written: FLAGS of nobody.
/** First of the free slots, by CHAIN. */
export const FREE = 1;
/** First word never used. */
export const TOP = 2;
/** Number of resources with the RECOVERED flag. */
export const RECOVERED_COUNT = 3;
/** A double: the last arrival or token handed out. */
export const CLOCK = 4;
/** A double: the last arrival of a stealing set; they count down from zero. */
export const STEALS = 6;
/** Sets newly granted by this operation, by SET_AFTER, until the backend takes them. */
export const GRANTED_FIRST = 8;
export const GRANTED_LAST = 9;
/** 1 when the granted are not in arrival order yet. */
export const GRANTED_UNSORTED = 10;
/** Sets whose grant this operation took back, by SET_AFTER. */
export const LOST_FIRST = 11;
/** Resources that nobody uses any more, by CHAIN. */
export const IDLE_FIRST = 12;
/**
 * Where the next record of the journal goes (journal.ts), or negative while there is an intent
 * (intent.ts); 0 while neither is.
 */
export const JOURNAL = 13;
/** First word of the journal's stamps, and end of the slots. */
export const JOURNAL_STAMPS = 14;
/** Number of the operation that is being journaled. */
export const JOURNAL_OPERATION = 15;
export const HEADER_WORDS = 16;

// Every slot.
/** What it is, in the KIND bits, and its flags. */
export const FLAGS = 0;
export const KIND = 0b111;
export const SET = 1;
export const LINK = 2;
export const RESOURCE = 3;
export const OBSERVATION = 4;
export const EDGE = 5;
/** The backend's own, of which only FLAGS and CHAIN mean anything here. */
export const BACKEND = 6;
export const ANNEX = 7;
/** From a set to its first link and on to the next; from a free or idle slot to the next. */
export const CHAIN = 1;

// Set.
/** Links (or observations) still to be triggered; one more while the set is being built. */
export const SET_PENDING = 2;
/** The backend's word for it; 0 for none. */
export const SET_USER_DATA = 3;
/** A double: while waiting, its arrival; once granted, its token. */
export const SET_STAMP = 4;
/** Next in the list of the granted or of the lost, until the backend takes it from there. */
export const SET_AFTER = 6;
/** The backend's time, of a set that is granted and taken from the list. */
export const SET_GRANTED_AT = 6;
/** First edge: while waiting, those it declared; once granted, those that name it. */
export const SET_EDGES = 7;
export const SET_GRANTED = 1 << 3;
/** Asked for by a synchronous caller: its resources count as locked. */
export const SET_SYNC = 1 << 4;
/** It may have links that it did not wait for, or resources with the recovered flag. */
export const SET_HAS_DETAILS = 1 << 5;
export const SET_OBSERVER = 1 << 6;
export const SET_LOST = 1 << 7;
/** It has LINK_METERED links. */
export const SET_METERED = 1 << 9;
/** Its LINK_METERED links have spare slots: it has not taken its numbers yet. */
export const SET_SPARES = 1 << 10;
/** Its owner is not yet notified that it is granted, or lost; PENDING is the backend's then. */
export const SET_POSTED = 1 << 8;

// Link; and observation, which stands in a list of an annex instead of the queue.
export const LINK_PREVIOUS = 2;
export const LINK_NEXT = 3;
export const LINK_SET = 4;
export const LINK_RESOURCE = 5;
/** A double: the arrival of its set. A queue is in the order of it. */
export const LINK_ARRIVAL = 6;
export const LINK_TRIGGERED = 1 << 3;
/**
 * Its set does not wait for it: it passed over a locked resource, or was granted before the
 * capacity fell. It counts against later links as any link does.
 */
export const LINK_IGNORED = 1 << 4;
/** It has numbers of units, or, while its set waits, a spare slot for them: see numbers.ts. */
export const LINK_METERED = 1 << 5;
/** FLAGS from here up are the units that it takes: 26 bits, from 1 to ALL. */
export const LINK_UNITS_SHIFT = 6;
/**
 * The units of an exclusive link, on a resource of any capacity; and the capacity of a resource
 * without a declared one. 2^28 words hold fewer than 2^25 links: any number of shared ones fits.
 */
export const ALL = 2 ** 26 - 1;

// Resource.
export const RESOURCE_HEAD = 2;
export const RESOURCE_TAIL = 3;
/** First link not triggered. */
export const RESOURCE_FRONTIER = 4;
/** The backend's word for it. */
export const RESOURCE_USER_DATA = 5;
/** Sum of the units of the links before the frontier. */
export const RESOURCE_USED = 6;
/** Its annex, or nobody. */
export const RESOURCE_ANNEX = 7;
/** An exclusive holder left it without a normal release. */
export const RESOURCE_RECOVERED = 1 << 3;
export const RESOURCE_OBSERVED = 1 << 4;
/** A link here may be ignored, or the capacity asserted (cleared when the queue runs empty). */
export const RESOURCE_IGNORED = 1 << 5;
/** Part of a set that is being weakened: set within one operation. */
export const RESOURCE_CHOSEN = 1 << 6;
/** The backend keeps it for the next use: it is not reported when it falls idle. */
export const RESOURCE_KEPT = 1 << 7;
/**
 * FLAGS from here up count the links of synchronous callers: 24 bits, see wordsMaxDefault. The
 * count is no field of the annex, as each `acquireSync` of a thread changes it.
 */
export const RESOURCE_SYNC_SHIFT = 8;
export const RESOURCE_SYNC_ONE = 1 << RESOURCE_SYNC_SHIFT;

// Annex. It exists while the resource has a capacity, or is RESOURCE_OBSERVED.
/** Set on an annex whose capacity is in force. */
export const ANNEX_METERED = 1 << 3;
/** The capacity came with a request: it is forgotten when the queue runs empty. */
export const ANNEX_ASSERTED = 1 << 4;
/** The capacity, from 1 to ALL; ALL also where none is in force. */
export const ANNEX_CAPACITY = 2;
/** Oldest observation in the list of those that wait for all links older than themselves, */
export const ANNEX_OBSERVE_ALL = 3;
/** and of those that wait for the exclusive ones among them. */
export const ANNEX_OBSERVE_EXCLUSIVE = 4;
/** First range of the free numbers. */
export const ANNEX_FREE = 5;
/** First of the spare slots of waiting links, by CHAIN. */
export const ANNEX_SPARE = 6;
/** The backend's word for a declared capacity; 0 for none. */
export const ANNEX_USER_DATA = 7;

// Edge.
export const EDGE_WAITER = 2;
export const EDGE_HELD = 3;
export const EDGE_NEXT_OF_WAITER = 4;
export const EDGE_PREVIOUS_OF_WAITER = 5;
export const EDGE_NEXT_OF_HELD = 6;
export const EDGE_PREVIOUS_OF_HELD = 7;

// Range of numbers of units: an EDGE with this flag, between a grant and a resource. It is on the
// list of the edges that name the grant, or in that of the annex.
export const EDGE_RANGE = 1 << 3;
export const RANGE_RESOURCE = 2;
/** The grant that has it, as in an edge: of a free one it means nothing. */
export const RANGE_SET = 3;
export const RANGE_FROM = 4;
export const RANGE_COUNT = 5;
/** The next free one. */
export const RANGE_NEXT = 6;
