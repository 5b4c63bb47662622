import { readAll } from '@waltz/bytes'
import type { ProbeCheck } from './probe.ts'
import { failed, holdsNoise, keysBelow, limited, noise, ok, skipped } from './probe-support.ts'

/** Whether large objects go in and come out whole. */
export const transferChecks: readonly ProbeCheck[] = [
  {
    id: 'large-object',
    title: 'a large object of known size',
    run: async (context) => {
      const { store, at, call, largeBytes } = context
      await store.put(at('large'), noise(largeBytes, 1), { ...call, size: largeBytes })
      return (await holdsNoise(context, at('large'), { size: largeBytes, seed: 1 }))
        ? ok(`${largeBytes / 2 ** 20} MiB, same bytes`)
        : failed('other bytes came back')
    },
  },
  {
    id: 'large-stream',
    title: 'a large object of unknown size',
    run: async (context) => {
      const { store, at, call, largeBytes } = context
      await store.put(at('stream'), noise(largeBytes + 1, 2), call)
      return (await holdsNoise(context, at('stream'), { size: largeBytes + 1, seed: 2 }))
        ? ok('same bytes')
        : failed('other bytes came back')
    },
  },
  {
    id: 'aborted-upload',
    title: 'an upload that is broken off leaves nothing visible',
    run: async (context) => {
      const { store, at, call, largeBytes } = context
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield* noise(largeBytes, 3)
        throw new Error('the probe broke off')
      }
      const kind = await store.put(at('broken'), broken(), call).then(
        () => 'stored',
        () => 'failed',
      )
      if (kind === 'stored' || (await keysBelow(context, at('broken'))).length > 0) return failed('the broken object is visible')
      return ok('nothing there')
    },
  },
  {
    id: 'unfinished-uploads',
    title: 'and no parts',
    run: async ({ maintenance, folder, call }) => {
      if (maintenance === undefined) return skipped('cannot be seen from here')
      let count = 0
      for await (const upload of maintenance.unfinishedUploads(folder, call)) count += Number(upload.key !== '')
      return count === 0 ? ok('none') : limited(`${count} unfinished uploads stay and cost space: see \`waltz storage orphans\``)
    },
  },
  {
    id: 'ranged-get',
    title: 'parts of an object can be read',
    run: async ({ store, at, call }) => {
      if (!store.capabilities.rangedGet) return limited('no: a broken download starts again from its beginning')
      const range = { start: 1, end: 4 }
      const text = new TextDecoder().decode(await readAll(await store.get(at('small'), { ...call, range }), 10))
      if (text !== 'ell') return failed(`bytes 1 to 3 of "hello" came as "${text}"`)
      const beyond = await readAll(await store.get(at('small'), { ...call, range: { start: 50, end: 60 } }), 10)
      return beyond.length === 0 ? ok('also beyond the end') : failed(`${beyond.length} bytes came from beyond the end`)
    },
  },
]
