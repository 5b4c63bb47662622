import type { Settings } from '@waltz/settings'
import { openFormat, type OpenedFormat } from './open-format.ts'
import type { KitSurroundings } from './surroundings.ts'

/** The form of stored objects, opened when it is first asked for: all parts of a kit share its keys. */
export interface FormatSource extends AsyncDisposable {
  /** @throws Fault as `openFormat`; the next call tries again. */
  open(): Promise<OpenedFormat>
}

/** No I/O until it is asked. Disposing of it forgets the keys, and closes the connections to their services. */
export function createFormatSource(settings: Settings, surroundings: KitSurroundings): FormatSource {
  let opened: Promise<OpenedFormat> | undefined
  const open = async (): Promise<OpenedFormat> => {
    try {
      return await openFormat(settings, surroundings)
    } catch (error) {
      opened = undefined
      throw error
    }
  }
  return {
    open: async () => await (opened ??= open()),
    async [Symbol.asyncDispose]() {
      const last = opened
      opened = undefined
      // One that could not be opened holds nothing; whoever asked for it was told why.
      const format = await last?.catch(() => undefined)
      format?.[Symbol.dispose]()
    },
  }
}
