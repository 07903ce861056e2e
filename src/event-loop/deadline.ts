/** For hosts and what they are made of; clients, which reach the domain only, find it there. */

export { callersTime, Deadline, type DeadlineOptions } from '../domain/deadline.ts';
