import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { parseTimelineHistory, timelineHistoryName, type TimelineHistory, type TimelineId } from '@waltz/pg-structures'
import type { CallOptions } from '@waltz/storage'
import type { KitStorages } from '../kit-storage.ts'

const MAX_HISTORY_BYTES = 1_048_576

/**
 * Reads archived histories of timelines, each with one request where it lies under the codec of the settings. Whoever asks knows from a
 * listing that it is there. The archive is opened for the first one: the codec, and with it keys, are needed for nothing else.
 */
export function createHistoryReader(
  storages: Pick<KitStorages, 'openWal'>,
  call: CallOptions = {},
): (timeline: TimelineId) => Promise<TimelineHistory | undefined> {
  let archive: ReturnType<KitStorages['openWal']> | undefined
  return async (timeline) => {
    archive ??= storages.openWal({ holeRecheckMs: 0 })
    try {
      await using opened = await (await archive).fetch(timelineHistoryName(timeline), call)
      return parseTimelineHistory(new TextDecoder().decode(await readAll(opened.source, MAX_HISTORY_BYTES)), timeline)
    } catch (error) {
      if (isFault(error, 'not-found')) return undefined
      throw error
    }
  }
}
