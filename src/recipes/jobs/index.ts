export {
  type GraphEdge,
  type GraphJob,
  graphAsDot,
  graphAsMermaid,
  type JobGraph,
  type UnorderedPair,
} from './graph.ts';
export { createJobQueue, type JobCounts, type JobQueue } from './queue.ts';
export type { Job, JobState, RunningJob } from './queue-job.ts';
export type { JobQueueOptions } from './queue-options.ts';
export { type RunningTask, serveTasks, type TaskFunction, type TaskPort } from './serve-tasks.ts';
export type { AfterFailure, JobSpec, RunSpec, TaskSpec } from './spec.ts';
export type { TaskWorker, WorkersOptions } from './worker-pool.ts';
