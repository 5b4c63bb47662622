import { Fault } from '@waltz/errors'

const LEGACY_SCHEME = 'file://localhost'
const SCHEME = 'file://'

/**
 * The folder that a FILE prefix setting names. It is a plain path, absolute or relative; a leading `file://localhost` of old
 * configurations is dropped (RF 1.1), and so is the `file://` of `file:///folder`. Nothing is decoded: `%20` stays what it is.
 * @throws Fault `invalid` `STORAGE_ROOT_INVALID` for a `file://` that names another host.
 */
export function parseFilePrefix(text: string): string {
  if (text.startsWith(LEGACY_SCHEME)) return text.slice(LEGACY_SCHEME.length)
  if (!text.startsWith(SCHEME)) return text
  const path = text.slice(SCHEME.length)
  if (path.startsWith('/')) return path
  throw new Fault('invalid', 'STORAGE_ROOT_INVALID', `${JSON.stringify(text)} names a folder on another host`, {
    hint: 'give the path of a folder of this machine, such as /mnt/backups or file:///mnt/backups',
  })
}
