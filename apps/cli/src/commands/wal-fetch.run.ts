import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { abortedFault, isFault } from '@waltz/errors'
import type { Invocation } from '../command.ts'
import { readLocalCluster } from './local-cluster.ts'
import { logWalEvent } from './wal-events.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5_000
/** Unavailable in the sense of "incomplete" or "no room here": asking the storage again changes nothing. */
const NOT_WORTH_RETRYING = new Set(['WAL_HOLE', 'WAL_HISTORY_HOLE', 'WAL_DESTINATION'])

/**
 * Fetches one file, for `restore_command` (CMD 4.2). Resolves to 0 when it lies at its destination, whole and checked;
 * the command line makes an exit code for recovery of everything else.
 * @throws Fault as `WalArchive.fetchToFile`, an unavailable storage only after WALTZ_WAL_FETCH_DEADLINE.
 */
export async function runWalFetch(invocation: Invocation): Promise<number> {
  const { args, io, log } = invocation
  const [name = '', destination = ''] = args
  const cluster = await readLocalCluster(invocation)
  const kit = await invocation.openKit()
  const { systemIdentifier, segmentBytes, timeline } = cluster
  const archive = await kit.openWal({
    ...(systemIdentifier && { systemIdentifier }),
    ...(segmentBytes && { segmentBytes }),
    observe: (event) => logWalEvent(log, event),
  })
  const request = {
    name,
    destination: resolve(io.cwd, destination),
    unique: uniqueMark(invocation),
    signal: io.signal,
    ...(timeline && { ownTimeline: timeline }),
  }
  const { storedName } = await patiently(invocation, () => archive.fetchToFile(request))
  log.debug(`${name} was fetched from ${storedName}`)
  return 0
}

/** Tells temporary files of processes apart. */
function uniqueMark({ io }: Invocation): string {
  return `${(io.host?.processId ?? 0).toString(16)}-${io.now().getTime().toString(16)}`
}

/** Tries again while the storage does not answer, until the deadline. */
async function patiently<Result>({ settings, io, log }: Invocation, attempt: () => Promise<Result>): Promise<Result> {
  // A standby asks again by itself, and streaming may help it meanwhile: it must not be kept waiting.
  const patienceMs = existsSync(join(io.cwd, 'standby.signal')) ? 0 : settings.walFetchDeadline
  const deadline = io.now().getTime() + patienceMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt()
    } catch (error) {
      const hopeful = isFault(error, 'unavailable') && !NOT_WORTH_RETRYING.has(error.code)
      const leftMs = deadline - io.now().getTime()
      if (!hopeful || leftMs <= 0) throw error
      log.warn(`${error.message}; trying again`)
      await pause(Math.min(pauseMs, leftMs), io.signal)
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch {
    throw abortedFault(signal)
  }
}
