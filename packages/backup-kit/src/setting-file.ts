import { readFileSync } from 'node:fs'
import { Fault } from '@waltz/errors'

/**
 * The text of a file that a setting names. The path is not shown: people put keys where the path of a key belongs.
 * @throws Fault `invalid` `STORAGE_FILE_UNUSABLE` that names the setting.
 */
export function readSettingFile(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw settingFileFault(setting, `cannot be read (${(error as { readonly code?: string }).code ?? 'unknown reason'})`)
  }
}

/** The bytes of a file that a setting names; as `readSettingFile`. */
export function readSettingBytes(setting: string, path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw settingFileFault(setting, `cannot be read (${(error as { readonly code?: string }).code ?? 'unknown reason'})`)
  }
}

/** The text of a file that need not be there; undefined when it is not. */
export function readOptionalFile(setting: string, path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as { readonly code?: string }
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined
    throw settingFileFault(setting, `cannot be read (${code ?? 'unknown reason'})`)
  }
}

/** The fault for a file that is configured and of no use. */
export function settingFileFault(setting: string, what: string): Fault {
  return new Fault('invalid', 'STORAGE_FILE_UNUSABLE', `the file that ${setting} names ${what}`, {
    hint: `correct ${setting}, or the rights on that file; it is not used in part and not passed over`,
  })
}

/** A setting that a storage cannot do without, or that cannot be used as it is. */
export function storageSettingFault(message: string, hint: string): Fault {
  return new Fault('invalid', 'STORAGE_SETTING_INVALID', message, { hint })
}
