import type { ByteSource } from '@waltz/bytes'
import { Fault, isFault, throwIfAborted } from '@waltz/errors'
import { classifyWalFileName, isSegmentBytes } from '@waltz/pg-structures'
import { walKey } from '@waltz/repository'
import { checkArchivedName } from './archived-name.ts'
import { claimArchive } from './cluster-fence.ts'
import { sameBytes } from './compare-sources.ts'
import { callOptions, type ArchiveContext } from './context.ts'
import { findReadable, type StoredFile } from './find-stored.ts'
import type { WalReadWish } from './local-wal.ts'
import { openIfStored } from './open-stored.ts'
import { judgeSegmentStart, readSegmentHead, SEGMENT_START_BYTES } from './segment-start.ts'

/** Options of a push. */
export interface PushOptions {
  /** Of the whole file, in bytes. */
  readonly size: number
  readonly signal?: AbortSignal
}

/** What a push did. `already-stored`: the archive held these bytes before. */
export type PushOutcome = 'stored' | 'already-stored'

/** Gives the bytes of a file from the beginning, with each call anew. It may heed the wish or not. */
export type WalBody = (wish?: WalReadWish) => ByteSource

/** A file on its way into the archive. */
interface Push {
  readonly name: string
  readonly body: WalBody
  readonly size: number
  readonly signal: AbortSignal | undefined
}

const DEFAULT_ATTEMPTS = 3
const FIRST_PAUSE_MS = 500

/** Archives one file. See `WalArchive.push`. */
export async function pushWal(context: ArchiveContext, name: string, body: WalBody, { size, signal }: PushOptions): Promise<PushOutcome> {
  checkArchivedName(name, context.format)
  throwIfAborted(signal)
  const push: Push = { name, body, size, signal }
  const own = await judgeLocalFile(context, push)
  const attempts = context.pushAttempts ?? DEFAULT_ATTEMPTS
  for (let attempt = 1; ; attempt += 1) {
    try {
      await claimArchive(context, own, signal)
      return await storeUnlessStored(context, push)
    } catch (error) {
      // A failed put may have been stored after all: the next attempt finds and compares it.
      if (attempt >= attempts || !isFault(error) || !error.retryable) throw error
      context.report({ type: 'push-retried', name, attempt, error })
      await context.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal)
    }
  }
}

/** The fences of a segment: size, header, place and cluster. Returns the cluster's identifier, where one is known. */
async function judgeLocalFile(context: ArchiveContext, { name, body, size }: Push): Promise<ArchiveContext['expectedSystemIdentifier']> {
  const kind = classifyWalFileName(name)?.kind
  if (kind !== 'segment' && kind !== 'partial') return context.expectedSystemIdentifier
  const fault = {
    kind: 'invalid',
    code: 'WAL_FILE_INVALID',
    hint: 'check which file was given to be archived; nothing was stored',
  } as const
  if (!isSegmentBytes(size) || (context.segmentBytes !== undefined && size !== context.segmentBytes)) {
    const expected = context.segmentBytes === undefined ? 'a power of two from 1 MiB to 1 GiB' : `${context.segmentBytes} bytes`
    throw new Fault(fault.kind, fault.code, `${name} has ${size} bytes, a segment has ${expected}`, {
      hint: context.segmentBytes === undefined ? fault.hint : 'check WALG_PG_WAL_SIZE and which file was given; nothing was stored',
      context: { name, size },
    })
  }
  const systemIdentifier = context.expectedSystemIdentifier
  return judgeSegmentStart(await readSegmentHead(body({ bytes: SEGMENT_START_BYTES })), { name, fileBytes: size, systemIdentifier, fault })
    .systemIdentifier
}

async function storeUnlessStored(context: ArchiveContext, push: Push): Promise<PushOutcome> {
  const stored = await findReadable(context, push.name, push.signal)
  if (stored.length === 0) return await store(context, push)
  const overwrite = context.whenStored === 'replace' && classifyWalFileName(push.name)?.kind !== 'timeline-history'
  return overwrite ? await replace(context, push, stored) : await compareWithStored(context, push, stored)
}

async function store(context: ArchiveContext, push: Push): Promise<PushOutcome> {
  try {
    return await put(context, push, context.store.capabilities.conditionalPut)
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error
  }
  // Somebody else stored it since the look-up.
  const stored = await findReadable(context, push.name, push.signal)
  if (stored.length > 0) return await compareWithStored(context, push, stored)
  throw new Fault('unavailable', 'WAL_CONFLICT', `${push.name} was stored and removed by somebody else while it was archived`, {
    hint: 'try again; find out which other program changes the archive',
    context: { name: push.name, location: context.store.location },
  })
}

async function put(context: ArchiveContext, push: Push, onlyIfAbsent: boolean): Promise<PushOutcome> {
  const storedName = context.format.nameFor(push.name)
  const sealed = context.format.seal(exactly(context, push))
  const info = await context.store.put(walKey(storedName), sealed, { onlyIfAbsent, ...callOptions(push.signal) })
  context.report({ type: 'stored', name: push.name, storedName, storedBytes: info.size })
  return 'stored'
}

async function replace(context: ArchiveContext, push: Push, stored: readonly StoredFile[]): Promise<PushOutcome> {
  const result = await put(context, push, false)
  // Under another extension the old bytes would stay, and readers might prefer them.
  const outdated = stored.filter((file) => file.storedName !== context.format.nameFor(push.name))
  if (outdated.length > 0)
    await context.store.delete(
      outdated.map((file) => file.key),
      callOptions(push.signal),
    )
  for (const { storedName } of stored) context.report({ type: 'replaced', name: push.name, storedName })
  return result
}

async function compareWithStored(context: ArchiveContext, push: Push, stored: readonly StoredFile[]): Promise<PushOutcome> {
  for (const { storedName } of stored) {
    if (await equalsStored(context, push, storedName)) continue
    throw new Fault('conflict', 'WAL_CONFLICT', `${storedName} in ${context.store.location} holds other bytes than the file to archive`, {
      hint:
        classifyWalFileName(push.name)?.kind === 'partial'
          ? 'nothing was changed; two servers were promoted within one segment. Recovery never asks for a .partial: move it away with its .ready file'
          : 'nothing was changed; two servers may archive to one prefix, or a server was restored without a new timeline',
      context: { name: push.name, storedName, location: context.store.location },
    })
  }
  context.report({ type: 'already-stored', name: push.name, storedName: stored[0]!.storedName })
  return 'already-stored'
}

async function equalsStored(context: ArchiveContext, push: Push, storedName: string): Promise<boolean> {
  try {
    await using opened = await openIfStored(context, { name: push.name, storedName }, push.signal)
    if (opened !== undefined) return await sameBytes(exactly(context, push), opened.source)
  } catch (error) {
    if (!isFault(error, 'corrupt') && !isFault(error, 'unsupported')) throw error
    throw new Fault('corrupt', 'WAL_STORED_DAMAGED', `${storedName} in ${context.store.location} cannot be read: ${error.message}`, {
      hint: 'nothing was changed; remove or repair that object, then archive the file again',
      context: { name: push.name, storedName, location: context.store.location },
      cause: error,
    })
  }
  throw new Fault('unavailable', 'WAL_CONFLICT', `${storedName} vanished from ${context.store.location} while it was compared`, {
    hint: 'try again; find out which other program changes the archive',
    context: { name: push.name, storedName, location: context.store.location },
  })
}

/** The local file, with its promised length enforced. */
async function* exactly({ format }: ArchiveContext, { name, body, size }: Push): AsyncGenerator<Uint8Array, void, undefined> {
  let seen = 0
  for await (const chunk of body({ chunkBytes: format.chunkBytes })) {
    seen += chunk.length
    if (seen > size) break
    yield chunk
  }
  if (seen === size) return
  throw new Fault('unavailable', 'WAL_FILE_CHANGED', `${name} had ${size} bytes and changed while it was read`, {
    hint: 'only finished files may be archived; try again',
    context: { name, size },
    retryable: false,
  })
}
