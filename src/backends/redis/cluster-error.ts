import { UnsupportedError } from '../../api/errors.ts';

/** Of a client of a cluster, or of a server that is part of one. */
export function clusterError(): UnsupportedError {
  return new UnsupportedError(
    'a cluster cannot be used: a script is not rolled back, and one that meets a slot on its way ' +
      'to another node would be stopped halfway. Give a client of one server that is no part of ' +
      'a cluster, with replicas if you like',
  );
}
