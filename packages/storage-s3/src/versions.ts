import { throwIfAborted } from '@waltz/errors'
import { checkPrefix, compareKeys, type CallOptions, type ObjectVersion } from '@waltz/storage'
import { call } from './call.ts'
import { statusOf } from './errors.ts'
import { decoded } from './list.ts'
import { infoOf } from './object-info.ts'
import { bucketParams } from './object-params.ts'
import type { Place } from './place.ts'

/** Whether the bucket keeps versions, or has kept some: by the options, or asked once. */
export async function isVersioned(place: Place, options: CallOptions | undefined): Promise<boolean> {
  const { versioning = 'ask' } = place.options
  if (versioning !== 'ask') return versioning === 'enabled'
  if (!place.provider.quirks.versions) return false
  place.known.versioned ??= await askForVersioning(place, options)
  return place.known.versioned
}

async function askForVersioning(place: Place, options: CallOptions | undefined): Promise<boolean> {
  try {
    const { Status } = await call(place, { doing: 'ask for the versioning of the bucket', options }, ({ send }, sent) =>
      send('GetBucketVersioning', { Bucket: place.bucket }, sent),
    )
    return Status === 'Enabled' || Status === 'Suspended'
  } catch (error) {
    const status = statusOf(error)
    if (status === 400 || status === 405 || status === 501) return false // it does not know the question
    if (status !== 403) throw error
    place.options.onNotice?.({
      code: 'versioning-unknown',
      message: `the key may not ask whether ${place.bucket} keeps versions, so it is taken for a bucket that keeps none`,
    })
    return false
  }
}

interface VersionMark {
  readonly key?: string | undefined
  readonly version?: string | undefined
}

interface VersionPage {
  readonly versions: readonly ObjectVersion[]
  readonly next: VersionMark | undefined
}

/** All versions below `prefix`, in byte order of key, the newest first. */
export async function* listVersions(place: Place, prefix: string, options: CallOptions | undefined): AsyncGenerator<ObjectVersion> {
  throwIfAborted(options?.signal)
  checkPrefix(prefix)
  let mark: VersionMark | undefined = {}
  while (mark !== undefined) {
    const page: VersionPage = await versionPage(place, { prefix, mark, options })
    for (const version of page.versions) {
      throwIfAborted(options?.signal)
      yield version
    }
    mark = page.next
  }
}

/** The versions of certain keys: one listing serves all keys that lie on its page, and the next begins right before the next key. */
export async function* versionsOf(place: Place, keys: readonly string[], options: CallOptions | undefined): AsyncGenerator<ObjectVersion> {
  const sorted = keys.toSorted(compareKeys)
  const prefix = commonBeginning(sorted[0] ?? '', sorted.at(-1) ?? '')
  let index = 0
  let mark: VersionMark | undefined = { key: justBefore(sorted[0] ?? '') }
  while (mark !== undefined && index < sorted.length) {
    const page: VersionPage = await versionPage(place, { prefix, mark, options })
    for (const version of page.versions) {
      while (index < sorted.length && compareKeys(sorted[index] as string, version.key) < 0) index += 1
      if (sorted[index] === version.key) yield version
    }
    mark = page.next === undefined ? undefined : nextMark(page.next, sorted[index])
  }
}

interface VersionQuestion {
  readonly prefix: string
  readonly mark: VersionMark
  readonly options: CallOptions | undefined
}

async function versionPage(place: Place, { prefix, mark, options }: VersionQuestion): Promise<VersionPage> {
  const output = await call(place, { doing: `list the versions below ${prefix}`, options }, ({ send }, sent) =>
    send(
      'ListObjectVersions',
      {
        ...bucketParams(place),
        Prefix: prefix,
        EncodingType: 'url',
        MaxKeys: place.pageSize,
        ...(mark.key === undefined ? {} : { KeyMarker: mark.key }),
        ...(mark.version === undefined ? {} : { VersionIdMarker: mark.version }),
      },
      sent,
    ),
  )
  place.known.bucketSeen = true
  const { Versions = [], DeleteMarkers = [], EncodingType } = output
  const told = [
    ...Versions.map((item) => ({ ...item, deleteMarker: false })),
    ...DeleteMarkers.map((item) => ({ ...item, Size: 0, ETag: undefined, deleteMarker: true })),
  ]
  const versions = told.map(({ Key = '', VersionId = 'null', Size, LastModified, IsLatest = false, deleteMarker }): ObjectVersion => ({
    ...infoOf(decoded(Key, EncodingType), { size: Size, modifiedAt: LastModified, etag: undefined }),
    versionId: VersionId,
    latest: IsLatest,
    deleteMarker,
  }))
  const next =
    output.IsTruncated === true && output.NextKeyMarker !== undefined
      ? { key: decoded(output.NextKeyMarker, EncodingType), version: output.NextVersionIdMarker }
      : undefined
  return { versions: versions.toSorted(byKeyAndAge), next }
}

/** Versions and markers come as two lists, each in order. */
function byKeyAndAge(left: ObjectVersion, right: ObjectVersion): number {
  const byKey = compareKeys(left.key, right.key)
  if (byKey !== 0) return byKey
  if (left.latest !== right.latest) return left.latest ? -1 : 1
  return right.modifiedAt.getTime() - left.modifiedAt.getTime()
}

/** The page may end in the middle of a key that is wanted: then nothing may be left out. */
function nextMark(next: VersionMark, wanted: string | undefined): VersionMark {
  if (wanted === undefined || next.key === undefined || compareKeys(wanted, next.key) <= 0) return next
  const before = justBefore(wanted)
  return before !== undefined && compareKeys(before, next.key) > 0 ? { key: before } : next
}

/** A text that sorts before `key`, with hardly anything in between. A marker is exclusive. */
function justBefore(key: string): string | undefined {
  const last = /.$/su.exec(key)?.[0]
  const point = last?.codePointAt(0)
  if (last === undefined || point === undefined || point <= 0x21) return undefined
  const before = point === 0xe000 ? 0xd7ff : point - 1
  return `${key.slice(0, key.length - last.length)}${String.fromCodePoint(before)}\u{10FFFD}`
}

function commonBeginning(first: string, last: string): string {
  let length = 0
  while (length < first.length && length < last.length && first[length] === last[length]) length += 1
  // Up to a folder: half of a character, or of a name, is no prefix that all storages take.
  return first.slice(0, first.lastIndexOf('/', length - 1) + 1)
}
