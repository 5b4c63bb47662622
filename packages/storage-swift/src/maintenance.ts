import { throwIfAborted } from '@waltz/errors'
import { checkPrefix, versionsUnsupportedFault, type CallOptions, type StoreMaintenance, type UnfinishedUpload } from '@waltz/storage'
import { deletePlain } from './delete.ts'
import type { Place } from './place.ts'
import { findFacts } from './read.ts'
import { listSegments, segmentPrefix } from './segment-names.ts'

/** Segments without their object. Versions are not kept track of. */
export function swiftMaintenance(place: Place): StoreMaintenance {
  const refuse = (): never => {
    throw versionsUnsupportedFault({ doing: 'look for versions', location: place.location })
  }
  return {
    unfinishedUploads: (prefix, options) => unfinishedUploads(place, prefix, options),
    abandonUpload: (upload, options) => abandonUpload(place, upload, options),
    // oxlint-disable-next-line require-yield -- it can only fail
    async *versions() {
      refuse()
    },
    async deleteVersions() {
      refuse()
    },
  }
}

async function* unfinishedUploads(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<UnfinishedUpload> {
  throwIfAborted(options?.signal)
  checkPrefix(prefix)
  for await (const upload of uploads(place, prefix, options?.signal)) {
    if (upload.key.startsWith(prefix) && !(await isFinished(place, upload.key, upload.id, options?.signal))) yield upload
  }
}

/** Segments of one upload lie beside each other in a listing. */
async function* uploads(place: Place, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<UnfinishedUpload> {
  let current: UnfinishedUpload | undefined
  for await (const { key, id, startedAt, bytes } of listSegments(place, prefix, signal)) {
    if (current !== undefined && (current.key !== key || current.id !== id)) {
      yield current
      current = undefined
    }
    current = { key, id, startedAt, bytes: (current?.bytes ?? 0) + bytes }
  }
  if (current !== undefined) yield current
}

async function abandonUpload(place: Place, { key, id }: UnfinishedUpload, options: CallOptions | undefined): Promise<void> {
  if (await isFinished(place, key, id, options?.signal)) return // completed meanwhile: these are its bytes
  const keys: string[] = []
  for await (const segment of listSegments(place, segmentPrefix(key, id), options?.signal)) keys.push(segment.name)
  await deletePlain(place, { container: place.segmentContainer, keys }, options?.signal)
}

/** Whether the object of this name is made of this very upload. */
async function isFinished(place: Place, key: string, id: string, signal: AbortSignal | undefined): Promise<boolean> {
  const facts = await findFacts(place, key, signal)
  return facts?.uploadId === id
}
