import type { Settings } from './settings-table.ts'

/** The settings for a run that ignores throttling: no rate limits, four readers of the disk (CMD 1.2). */
export function withTurbo(settings: Settings): Settings {
  return { ...settings, networkRateLimit: undefined, diskRateLimit: undefined, uploadDiskConcurrency: 4 }
}
