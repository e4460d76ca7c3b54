/** The dashboard of the fleet: agents, their slots, GPUs and disks. */
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardFrame } from './frame.ts';
import { graph, statPanel, table } from './panels.ts';

export const fleet = () =>
  dashboardFrame('trawl-fleet', 'trawl: fleet', 'Agents, their slots, GPUs, data sets and disks.')
    .withRow(new RowBuilder('Now'))
    .withPanel(
      statPanel(
        {
          title: 'Agents connected',
          about: 'Connected agents, except draining, drained and quarantined ones.',
          unit: 'short',
        },
        'sum(trawl_agents{state="connected"})',
      ),
    )
    .withPanel(
      statPanel(
        {
          title: 'Agents lost',
          about: 'Agents without a heartbeat for longer than the lease time. They stay listed for an hour.',
          unit: 'short',
        },
        'sum(trawl_agents{state="lost"})',
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Slots busy', about: 'Slots that run an attempt or a pack.', unit: 'short' },
        'sum(trawl_agent_slots{state="busy"})',
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Slots free', about: 'Idle slots of agents that accept trials.', unit: 'short' },
        'sum(trawl_agent_slots{state="free"})',
      ),
    )
    .withPanel(
      statPanel(
        {
          title: 'Sweeps running',
          about: 'Sweeps that have not ended, and are neither paused nor stopping.',
          unit: 'short',
        },
        'sum(trawl_sweeps{state="running"})',
      ),
    )
    .withPanel(
      statPanel(
        { title: 'GPU utilization', about: 'Mean utilization of all GPUs.', unit: 'percentunit' },
        'avg(trawl_agent_gpu_utilization_ratio)',
      ),
    )
    .withRow(new RowBuilder('Slots'))
    .withPanel(
      graph(
        { title: 'Slots', about: 'Slots of all agents by state.', unit: 'short' },
        { '{{state}}': 'sum by (state) (trawl_agent_slots)' },
        true,
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Time since last heartbeat',
          about: 'Age of the last heartbeat of each agent. Agents send a heartbeat every fifth of the lease time.',
          unit: 's',
        },
        { '{{agent}}': 'time() - trawl_agent_last_heartbeat_timestamp_seconds' },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Spooled records',
          about: 'Records that agents keep on disk until the coordinator acknowledges them.',
          unit: 'short',
        },
        { '{{agent}}': 'trawl_agent_spooled_records' },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Attempts lost',
          about: 'Attempts of class lost: their agent was silent, restarted or revoked, or records were missing.',
          unit: 'short',
        },
        { lost: 'sum(increase(trawl_lease_expirations_total[$__rate_interval]))' },
      ),
    )
    .withRow(new RowBuilder('GPUs'))
    .withPanel(
      graph(
        { title: 'GPU utilization by GPU', about: 'Share of the time in which a kernel ran.', unit: 'percentunit' },
        { '{{agent}} {{gpu}}': 'trawl_agent_gpu_utilization_ratio' },
      ),
    )
    .withPanel(
      graph(
        { title: 'GPU memory', about: 'Share of memory used by all processes.', unit: 'percentunit' },
        { '{{agent}} {{gpu}}': 'trawl_agent_gpu_memory_used_bytes / trawl_agent_gpu_memory_total_bytes' },
      ),
    )
    .withPanel(
      graph(
        { title: 'GPU temperature', about: 'A GPU that is too hot reduces its clock rate.', unit: 'celsius' },
        { '{{agent}} {{gpu}}': 'trawl_agent_gpu_temperature_celsius' },
      ),
    )
    .withPanel(
      graph(
        { title: 'GPU power', about: 'Total power of the GPUs of each agent.', unit: 'watt' },
        { '{{agent}}': 'sum by (agent) (trawl_agent_gpu_power_watts)' },
      ),
    )
    .withRow(new RowBuilder('Data sets and disks'))
    .withPanel(
      graph(
        {
          title: 'Data set cache hits and misses',
          about: 'Trials that found their data set in the cache (found), or had to fetch it first (fetched).',
          unit: 'short',
        },
        {
          found: 'sum(increase(trawl_dataset_cache_hits_total[$__rate_interval]))',
          fetched: 'sum(increase(trawl_dataset_cache_misses_total[$__rate_interval]))',
        },
      ),
    )
    .withPanel(
      graph(
        { title: 'Data set cache size', about: 'Size of the data set cache of each agent.', unit: 'bytes' },
        { '{{agent}}': 'trawl_dataset_cache_bytes' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Disk free', about: "Free share of the disk with each agent's folder.", unit: 'percentunit' },
        { '{{agent}}': 'trawl_agent_disk_free_bytes / trawl_agent_disk_size_bytes' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Agent CPU', about: 'CPU usage of the supervisors. Workers are not included.', unit: 'percentunit' },
        { '{{instance}}': 'rate(process_cpu_seconds_total{job="trawl-agent"}[$__rate_interval])' },
      ),
    )
    .withPanel(
      table(
        { title: 'Agents', about: 'Host, GPU model, backend and version of each agent.', unit: 'short' },
        'trawl_agent_info',
      ),
    );
