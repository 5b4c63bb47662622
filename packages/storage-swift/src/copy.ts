import { throwIfAborted } from '@waltz/errors'
import { checkKey, copyUnsupportedFault, unreachableFault, type CallOptions } from '@waltz/storage'
import { pathOf } from './client.ts'
import { deletePlain } from './delete.ts'
import { inLanes } from './lanes.ts'
import { readManifest, type Segment } from './manifest.ts'
import { isMd5 } from './span-check.ts'
import { checkContainer, type Place } from './place.ts'
import { expectFacts } from './read.ts'
import { segmentName, uploadId } from './segment-names.ts'
import { createSegmentContainer, putManifest } from './segments.ts'

/** The server moves all bytes before it answers. */
const COPY_PATIENCE = 20

/** `ObjectStore.copy`: never by a second manifest for the same segments, which would vanish with the first. */
export async function copyObject(place: Place, from: string, to: string, options: CallOptions | undefined): Promise<void> {
  const signal = options?.signal
  throwIfAborted(signal)
  checkKey(from)
  checkKey(to)
  const facts = await expectFacts(place, from, { doing: `copy of ${from}`, signal })
  if (facts.large === undefined) {
    await copyOne(place, { from: [place.container, from], to: [place.container, to] }, signal)
    return
  }
  const segments = facts.large === 'static' ? (await readManifest(place, from, signal))?.segments : undefined
  if (segments === undefined)
    throw copyUnsupportedFault({
      doing: `copy of ${from}`,
      location: place.location,
      answer: 'it is a large object whose segments this server does not tell',
    })
  if (facts.info.size <= place.maxWholeBytes) await copyOne(place, { from: [place.container, from], to: [place.container, to] }, signal)
  else await copySegments(place, { segments, to }, signal)
}

type At = readonly [container: string, key: string]

/** `X-Copy-From` (Swift API, "Copy object"); a large object becomes one in one piece. */
async function copyOne(place: Place, { from, to }: { readonly from: At; readonly to: At }, signal: AbortSignal | undefined): Promise<void> {
  const answer = await place.client.call({
    method: 'PUT',
    path: pathOf(...to),
    headers: { 'x-copy-from': pathOf(...from) },
    accept: [201, 202, 404],
    doing: `copy of ${from[1]}`,
    signal,
    patience: COPY_PATIENCE,
  })
  if (answer.status !== 404) return
  await checkContainer(place, `copy of ${from[1]}`, signal)
  throw unreachableFault(
    { doing: `copy of ${from[1]}`, location: place.location, answer: '404' },
    'it was replaced or removed while it was copied',
  )
}

async function copySegments(
  place: Place,
  { segments, to }: { readonly segments: readonly Segment[]; readonly to: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const id = uploadId(place.now(), place.randomHex)
  const parts = segments.map(({ bytes, md5 }, index) => ({ key: segmentName(to, id, index), bytes, md5: isMd5(md5) ? md5 : '' }))
  try {
    await createSegmentContainer(place, signal)
    const indexes = segments.map((_, index) => index)
    await inLanes(indexes, place.concurrency, async (index) => {
      const { container, key } = segments[index] as Segment
      await copyOne(place, { from: [container, key], to: [place.segmentContainer, parts[index]?.key ?? ''] }, signal)
    })
    await putManifest(place, { key: to, id, parts, contentType: undefined }, signal)
  } catch (error) {
    const keys = parts.map(({ key }) => key)
    await deletePlain(place, { container: place.segmentContainer, keys }, undefined).catch((leftover: unknown) =>
      place.onLeftover?.({ key: to, error: leftover }),
    )
    throw error
  }
}
