import { pathOf } from './client.ts'
import { header } from './errors.ts'
import { cleanEtag } from './object-info.ts'
import type { Place } from './place.ts'

/** One segment of a static large object, as its manifest tells. */
export interface Segment {
  readonly container: string
  readonly key: string
  readonly bytes: number
  readonly md5: string | undefined
}

/** The manifest of a static large object. */
export interface Manifest {
  /** In order; undefined where the server does not show them (radosgw), or they are cut or nested. */
  readonly segments: readonly Segment[] | undefined
  /** Tells the version of the object that it belongs to. */
  readonly timestamp: string | undefined
}

interface ListedSegment {
  readonly name?: string
  readonly bytes?: number
  readonly hash?: string
  readonly sub_slo?: boolean
  readonly range?: string
}

/** Asks for the manifest of a static large object (Swift API, "Static large objects"). Undefined when there is no object any more. */
export async function readManifest(place: Place, key: string, signal: AbortSignal | undefined): Promise<Manifest | undefined> {
  const answer = await place.client.call({
    method: 'GET',
    path: pathOf(place.container, key),
    query: { 'multipart-manifest': 'get', format: 'json' },
    accept: [200, 204, 404],
    doing: `look at the segments of ${key}`,
    signal,
  })
  if (answer.status === 404) return undefined
  return { segments: parseSegments(answer.text), timestamp: header(answer, 'x-timestamp') }
}

function parseSegments(text: string): readonly Segment[] | undefined {
  let listed: unknown
  try {
    listed = JSON.parse(text)
  } catch {
    return undefined // radosgw gives the bytes of the object
  }
  if (!Array.isArray(listed)) return undefined
  const segments = (listed as readonly ListedSegment[]).map(segmentOf)
  return segments.length > 0 && segments.every((segment) => segment !== undefined) ? segments : undefined
}

function segmentOf({ name, bytes, hash, sub_slo: nested, range }: ListedSegment): Segment | undefined {
  const [, container, key] = /^\/([^/]+)\/(.+)$/s.exec(name ?? '') ?? []
  if (container === undefined || key === undefined || bytes === undefined || nested === true || range !== undefined) return undefined
  return { container, key, bytes, md5: cleanEtag(hash) }
}
