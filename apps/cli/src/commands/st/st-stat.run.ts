import type { Invocation } from '../../command.ts'
import { createRowPrinter, objectRow } from './entry-rows.ts'
import { keyOf, onEachTarget } from './targets.ts'

/** Shows one object. Resolves to 0. @throws Fault `not-found` `STORAGE_NOT_FOUND`. */
export async function runStStat(invocation: Invocation): Promise<number> {
  const key = keyOf(invocation.args[0] ?? '')
  return await onEachTarget(invocation, async ({ store }) => {
    const printer = createRowPrinter(invocation)
    const info = await store.head(key, { signal: invocation.io.signal })
    printer.add(objectRow(info, key.slice(key.lastIndexOf('/') + 1)))
    printer.end()
  })
}
