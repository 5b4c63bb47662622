import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { decodeMetadata, jsonEquals, parseJson } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import type { CopyContext } from './copy-context.ts'
import type { MarksApart } from './copy-options.ts'

const MAX_METADATA_BYTES = 64 * 1_048_576
const MARK = 'is_permanent'

/**
 * How a `metadata.json` is marked on both sides, when that is all that differs: `backup-mark` changes nothing else (RF 2.3). Undefined for
 * any other difference. `besides` are members whose values the copy changes itself, in lower case.
 */
export async function marksApart(context: CopyContext, key: string, besides: Iterable<string> = []): Promise<MarksApart | undefined> {
  try {
    const [source, target] = [await read(context, context.from, key), await read(context, context.to, key)]
    const without = new Set([MARK, ...besides])
    const rest = ({ document }: typeof source): object =>
      Object.fromEntries(Object.entries(document as object).filter(([name]) => !without.has(name.toLowerCase())))
    if (source.permanent === target.permanent || !jsonEquals(rest(source), rest(target), { numbers: 'exact' })) return undefined
    return { source: source.permanent, target: target.permanent }
  } catch (error) {
    if (isFault(error, 'corrupt')) return undefined
    throw error
  }
}

async function read(
  { call }: CopyContext,
  store: ObjectStore,
  key: string,
): Promise<{ readonly document: unknown; readonly permanent: boolean }> {
  await using body = await store.get(key, call)
  const bytes = await readAll(body, MAX_METADATA_BYTES)
  const { permanent } = decodeMetadata(bytes, { origin: key })
  return { document: parseJson(bytes, { origin: key }), permanent }
}
