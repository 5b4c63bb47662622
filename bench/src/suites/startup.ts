import type { Suite } from '../model.ts'
import { cellsOf } from './cells.ts'

/** How long each program takes to say its version. */
export const startupSuite: Suite = {
  name: 'startup',
  about: 'each program prints its version and ends; Node runs an empty program',
  workloads: (options) => [
    {
      suite: 'startup',
      operation: 'version',
      title: 'start-up, --version',
      against: 'node -e 0',
      rounds: options.rounds * 4,
      warmUps: 1,
      expectedSeconds: options.rounds * 4 * 0.4,
      open: async (bench) => ({
        cells: cellsOf(bench, (peer) => peer.start?.(bench.folder.path, bench.tools)),
        server: undefined,
        close: () => undefined,
      }),
    },
  ],
}
