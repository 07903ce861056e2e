/** kds/jobs: jobs that declare the resources that they read and write (docs/jobs.md). */

export {
  type GraphEdge,
  type GraphJob,
  graphAsDot,
  graphAsMermaid,
  type JobGraph,
  type UnorderedPair,
} from './graph.ts';
export type {
  AfterFailure,
  Job,
  JobSpec,
  JobState,
  RunningJob,
  RunSpec,
  TaskSpec,
} from './job.ts';
export type { JobCounts, JobQueue } from './job-queue.ts';
export { createJobQueue } from './queue.ts';
export type { JobQueueOptions } from './queue-options.ts';
export { type RunningTask, serveTasks, type TaskFunction, type TaskPort } from './serve-tasks.ts';
export type { TaskWorker, WorkersOptions } from './worker-pool.ts';
