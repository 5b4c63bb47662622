import { readAll } from '@waltz/bytes'
import { compareKeys } from '../key.ts'
import type { ProbeCheck } from './probe.ts'
import { failed, faultKindOf, keysBelow, limited, ok, readText, skipped, textSource } from './probe-support.ts'

const ODD_NAMES = [
  'with space',
  'plus+plus',
  '100%',
  '%41',
  'quote"and\'quote',
  'e\u0301',
  '\u00e9',
  'код',
  '😀',
  '(x)[y]{z}',
  'semi;colon,comma',
  '&<>=?#',
  '...',
  'dots..',
]
const MANY = 120
const CLOCK_LIMIT_MS = 60_000
const CLOCK_REFUSAL_MS = 15 * 60_000

/** What every storage must be able to do. */
export const basicChecks: readonly ProbeCheck[] = [
  {
    id: 'list-root',
    title: 'the root can be listed',
    run: async ({ store, call }) => {
      let first: string | undefined
      for await (const { key } of store.list('', call)) {
        first = key
        break
      }
      return ok(first === undefined ? 'empty' : 'it holds objects')
    },
  },
  {
    id: 'put',
    title: 'a small object can be stored',
    run: async ({ store, at, call }) => {
      const info = await store.put(at('small'), textSource('hello'), call)
      return info.size === 5 ? ok('5 bytes') : failed(`stored 5 bytes, the storage says ${info.size}`)
    },
  },
  {
    id: 'head-after-put',
    title: 'and is there at once (head)',
    run: async ({ store, at, call }) => ((await store.head(at('small'), call)).size === 5 ? ok('found') : failed('its size is wrong')),
  },
  {
    id: 'get-after-put',
    title: 'and can be read',
    run: async (context) =>
      (await readText(context, context.at('small'))) === 'hello' ? ok('same bytes') : failed('other bytes came back'),
  },
  {
    id: 'list-after-put',
    title: 'and is listed at once',
    run: async (context) =>
      (await keysBelow(context, context.folder)).includes(context.at('small'))
        ? ok('listed')
        : failed('it is missing in the listing: what is stored may be taken for lost'),
  },
  {
    id: 'read-after-overwrite',
    title: 'an object that was replaced is read as the new one',
    run: async (context) => {
      const { store, at, call } = context
      for (let round = 0; round < 5; round += 1) {
        await store.put(at('replaced'), textSource(`round ${round}`), call)
        const text = await readText(context, at('replaced'))
        if (text !== `round ${round}`) return failed(`after storing "round ${round}" it read "${text}"`)
      }
      return ok('five rounds')
    },
  },
  {
    id: 'list-after-delete',
    title: 'an object that was deleted is not listed any more',
    run: async (context) => {
      const { store, at, call } = context
      await store.put(at('deleted'), textSource('x'), call)
      await store.delete([at('deleted')], call)
      if ((await keysBelow(context, at('deleted'))).length > 0) return limited('it is still listed right after its deletion')
      return ok('gone')
    },
  },
  {
    id: 'delete-missing',
    title: 'deleting what is not there is no error',
    run: async ({ store, at, call }) => {
      await store.delete([at('never')], call)
      return ok('accepted')
    },
  },
  {
    id: 'head-missing',
    title: 'a missing object is said to be missing',
    run: async ({ store, at, call }) => {
      const kind = await faultKindOf(() => store.head(at('missing'), call))
      if (kind === 'not-found') return ok('not found')
      return failed(
        kind === 'denied'
          ? 'it is "denied": the key lacks the right to list, so missing and forbidden look the same'
          : `the answer was ${kind ?? 'a success'}`,
      )
    },
  },
  {
    id: 'get-missing',
    title: 'and cannot be read',
    run: async ({ store, at, call }) => {
      const kind = await faultKindOf(() => store.get(at('missing'), call))
      return kind === 'not-found' ? ok('not found') : failed(`the answer was ${kind ?? 'a success'}`)
    },
  },
  {
    id: 'empty-object',
    title: 'an object may be empty',
    run: async ({ store, at, call }) => {
      await store.put(at('empty'), textSource(''), call)
      const bytes = await readAll(await store.get(at('empty'), call), 10)
      return bytes.length === 0 ? ok('0 bytes') : failed(`${bytes.length} bytes came back`)
    },
  },
  {
    id: 'odd-names',
    title: 'names may hold any characters',
    run: async (context) => {
      const { store, at, call } = context
      const wrong: string[] = []
      for (const name of ODD_NAMES) {
        const key = at(`odd/${name}`)
        const stored = await store.put(key, textSource(name), call).then(
          () => true,
          () => false,
        )
        if (!stored || (await readText(context, key).catch(() => '')) !== name) wrong.push(JSON.stringify(name))
      }
      const listed = await keysBelow(context, at('odd/'))
      for (const name of ODD_NAMES)
        if (!listed.includes(at(`odd/${name}`)) && !wrong.includes(JSON.stringify(name))) wrong.push(JSON.stringify(name))
      return wrong.length === 0
        ? ok(`${ODD_NAMES.length} names`)
        : limited(`these do not work: ${wrong.join(', ')}; PostgreSQL's own names do not need them`)
    },
  },
  {
    id: 'long-name',
    title: 'names may be long',
    run: async ({ store, folder, call }) => {
      const key = `${folder}${'x'.repeat(180)}/${'y'.repeat(180)}/${'z'.repeat(180)}/`.padEnd(700, 'n')
      const kind = await faultKindOf(() => store.put(key, textSource('x'), call))
      return kind === undefined ? ok('700 bytes') : limited(`700 bytes are too many (${kind}); Waltz's own names have fewer than 200`)
    },
  },
  {
    id: 'listing-order',
    title: 'listings are in byte order',
    run: async (context) => {
      const { store, at, call } = context
      for (const name of ['A', 'a-z', 'a.b', 'a/z', 'a0', 'b', 'é', '한', '😀']) await store.put(at(`order/${name}`), textSource('x'), call)
      const keys = await keysBelow(context, at('order/'))
      const sorted = [...keys].sort(compareKeys)
      return keys.length === 9 && keys.every((key, index) => key === sorted[index])
        ? ok('9 names')
        : failed(`they came as ${keys.join(', ')}`)
    },
  },
  {
    id: 'listing-folders',
    title: 'folders can be listed',
    run: async ({ store, at, call }) => {
      const groups: string[] = []
      for await (const group of store.listGroups(at('order/'), call)) groups.push(group)
      return groups.length === 1 && groups[0] === at('order/a/') ? ok('one level') : failed(`they came as ${groups.join(', ')}`)
    },
  },
  {
    id: 'listing-complete',
    title: `a listing of ${MANY} objects is complete, and can be resumed`,
    run: async (context) => {
      const { store, at, call } = context
      const names = Array.from({ length: MANY }, (_, index) => at(`many/${String(index).padStart(4, '0')}`))
      for (let start = 0; start < MANY; start += 10) {
        await Promise.all(names.slice(start, start + 10).map((key) => store.put(key, textSource('x'), call)))
      }
      const all = await keysBelow(context, at('many/'))
      if (all.length !== MANY) return failed(`${all.length} of ${MANY} were listed`)
      let rest = 0
      for await (const info of store.list(at('many/'), { ...call, after: names[49] as string })) rest += info.size
      return rest === MANY - 50 ? ok(`${MANY} objects`) : failed(`after the fiftieth there were ${rest} instead of ${MANY - 50}`)
    },
  },
  {
    id: 'bulk-delete',
    title: 'many objects can be deleted at once',
    run: async (context) => {
      const { store, at, call } = context
      const keys = await keysBelow(context, at('many/'))
      await store.delete(keys, call)
      const left = (await keysBelow(context, at('many/'))).length
      if (left > 0) return failed(`${left} of ${keys.length} are still there`)
      return ok(
        store.capabilities.maxDeleteBatch > 1
          ? `${keys.length} objects, up to ${store.capabilities.maxDeleteBatch} in a request`
          : `${keys.length} objects, one by one`,
      )
    },
  },
  {
    id: 'server-copy',
    title: 'objects can be copied inside the storage',
    run: async (context) => {
      const { store, at, call } = context
      if (!store.capabilities.copy) return limited('no: copies go through this machine')
      await store.copy(at('small'), at('copied'), call)
      return (await readText(context, at('copied'))) === 'hello' ? ok('same bytes') : failed('the copy has other bytes')
    },
  },
  {
    id: 'etag',
    title: 'the mark of an object changes with its bytes',
    run: async ({ store, at, call }) => {
      const first = await store.put(at('marked'), textSource('one'), call)
      const second = await store.put(at('marked'), textSource('two'), call)
      if (first.etag === undefined) return limited('the storage gives none: a replaced object is told by size and time')
      return first.etag === second.etag ? failed('two contents have the same mark') : ok('it does')
    },
  },
  {
    id: 'clock',
    title: 'the clocks agree',
    run: async ({ store, at, call, now }) => {
      const { modifiedAt } = await store.put(at('clock'), textSource('x'), call)
      const skew = Math.abs(modifiedAt.getTime() - now().getTime())
      const detail = `${(skew / 1000).toFixed(1)} s apart`
      if (skew > CLOCK_REFUSAL_MS) return failed(`${detail}: signed requests will be refused`)
      return skew > CLOCK_LIMIT_MS ? limited(`${detail}: set the clock of this machine`) : ok(detail)
    },
  },
  {
    id: 'versions',
    title: 'old versions',
    run: async ({ maintenance, at, call }) => {
      if (maintenance === undefined) return skipped('cannot be seen from here')
      let count = 0
      const kind = await faultKindOf(async () => {
        for await (const version of maintenance.versions(at('marked'), call)) count += Number(!version.deleteMarker)
      })
      if (kind === 'unsupported') return ok('the storage keeps none')
      if (kind !== undefined) return limited(`cannot be listed (${kind})`)
      return count > 1 ? limited('are kept: deleted backups cost space until their versions are removed, too') : ok('none are kept')
    },
  },
  {
    id: 'delete',
    title: 'what was just stored can be deleted',
    run: async (context) => {
      const { store, at, call } = context
      const kind = await faultKindOf(() => store.delete([at('copied'), at('marked')], call))
      if (kind === 'denied') return limited('it may not, by its rights or by a lock: retention must run with another key')
      return kind === undefined ? ok('it can') : failed(`the answer was ${kind}`)
    },
  },
]
