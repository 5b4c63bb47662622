import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { workspaceRoot } from './workspace-root.ts'

/**
 * Folder of a repository that the real WAL-G wrote, such as `codecs/lz4`: the project's own copy where it has one, else the one of
 * a folder `shared/fixtures` beside the checkout, else undefined (skip the test then, and say so).
 */
export function fixturePath(name: string): string | undefined {
  const places = [join(workspaceRoot, 'tools/fixtures', name), join(workspaceRoot, '../shared/fixtures', name)]
  return places.find((place) => existsSync(place))
}
