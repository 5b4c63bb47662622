import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Fault } from '@waltz/errors'
import type { ConfigFile } from '@waltz/settings'
import type { CommandIo } from './command.ts'
import { ConfigTextError } from './config-text-error.ts'
import { configExtensions, parseConfigText } from './config-text.ts'

/**
 * Reads the config file in use: the one that `--config` names, else WALG_CONFIG_PATH, else the first `.walg.<ext>` in
 * the home directory, else none. A home that does not exist or may not be entered has none.
 * @throws Fault `invalid` `CONFIG_FILE_UNREADABLE` when a file that was named is not there, or one that is there cannot
 * be read or has no known extension; `CONFIG_FILE_INVALID` when it is not what its extension says.
 */
export async function readConfigFile(
  named: string | undefined,
  io: Pick<CommandIo, 'env' | 'cwd' | 'home'>,
): Promise<ConfigFile | undefined> {
  const explicit = [named, io.env['WALG_CONFIG_PATH']].find((path) => path !== undefined && path !== '')
  const path = explicit === undefined ? findInHome(io.home) : resolve(io.cwd, explicit)
  if (path === undefined) return undefined
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase()
  if (extension === undefined || !configExtensions.includes(extension)) {
    throw unreadable(path, 'its extension says nothing about its format', undefined)
  }
  try {
    return { path, values: await parseConfigText(readText(path), extension, io.env) }
  } catch (error) {
    if (!(error instanceof ConfigTextError)) throw error
    // No cause: parsers quote the text, and the text may hold a password.
    throw new Fault('invalid', 'CONFIG_FILE_INVALID', `the config file ${path} cannot be used: ${error.message}`, {
      hint: 'correct that line, or name another file with --config',
      context: { path },
    })
  }
}

function findInHome(home: string | undefined): string | undefined {
  if (home === undefined || home === '') return undefined
  return configExtensions.map((extension) => resolve(home, `.walg.${extension}`)).find(isThere)
}

function isThere(path: string): boolean {
  try {
    statSync(path)
    return true
  } catch {
    return false
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, reasonOf(cause), cause)
  }
}

function reasonOf(cause: unknown): string {
  const code = (cause as { readonly code?: string }).code
  if (code === 'ENOENT') return 'it does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'it may not be read by this user'
  return code === 'EISDIR' ? 'it is a directory' : (code ?? 'it cannot be read')
}

function unreadable(path: string, reason: string, cause: unknown): Fault {
  return new Fault('invalid', 'CONFIG_FILE_UNREADABLE', `the config file ${path} cannot be read: ${reason}`, {
    hint: `config files end in ${configExtensions.map((extension) => `.${extension}`).join(', ')}`,
    context: { path },
    cause,
  })
}
