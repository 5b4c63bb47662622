/** The S3 server of a run. */
import { missingForRadosgw, startRadosgw, type Radosgw, type ServerOwner } from '@waltz/testkit'
import type { ObjectServer } from './model.ts'
import type { Progress } from './progress.ts'

/** Starts radosgw, which keeps everything in memory, for the workloads that want it. */
export function createObjectServer(progress: Progress): ObjectServer {
  let starting: Promise<Radosgw & ServerOwner> | undefined
  return {
    start: () => {
      const missing = missingForRadosgw()
      if (missing.length > 0)
        throw new Error('radosgw is absent: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common')
      if (starting === undefined) progress.now('starting radosgw ...')
      return (starting ??= startRadosgw())
    },
    stop: async () => {
      if (starting === undefined) return
      await starting.then(
        (server) => server.stop(),
        () => undefined, // it never ran
      )
    },
  }
}
