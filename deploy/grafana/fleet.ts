/** The machines: who is there, what they do, and what their GPUs and disks say. */
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { framed } from './frame.ts';
import { figure, graph, table } from './panels.ts';

export const fleet = () =>
  framed('trawl-fleet', 'trawl: fleet', 'Agents, their slots, GPUs, data sets and disks.')
    .withRow(new RowBuilder('Now'))
    .withPanel(
      figure(
        { title: 'Agents connected', about: 'Heard within the lease.', unit: 'short' },
        'sum(trawl_agents{state="connected"})',
      ),
    )
    .withPanel(
      figure(
        { title: 'Agents lost', about: 'Silent for longer than the lease; told of for an hour.', unit: 'short' },
        'sum(trawl_agents{state="lost"})',
      ),
    )
    .withPanel(
      figure(
        { title: 'Slots busy', about: 'Slots that run an attempt or a pack.', unit: 'short' },
        'sum(trawl_agent_slots{state="busy"})',
      ),
    )
    .withPanel(
      figure(
        { title: 'Slots free', about: 'Slots of connected agents that run nothing.', unit: 'short' },
        'sum(trawl_agent_slots{state="free"})',
      ),
    )
    .withPanel(
      figure(
        { title: 'Sweeps running', about: 'Neither paused nor stopping.', unit: 'short' },
        'sum(trawl_sweeps{state="running"})',
      ),
    )
    .withPanel(
      figure(
        { title: 'GPUs at work', about: 'Mean utilization of all GPUs.', unit: 'percentunit' },
        'avg(trawl_agent_gpu_utilization_ratio)',
      ),
    )
    .withRow(new RowBuilder('Slots'))
    .withPanel(
      graph(
        { title: 'Slots', about: 'Of all agents.', unit: 'short' },
        { '{{state}}': 'sum by (state) (trawl_agent_slots)' },
        true,
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Last heard',
          about: "Age of each agent's last sign of life; a heartbeat comes every fifth of the lease.",
          unit: 's',
        },
        { '{{agent}}': 'time() - trawl_agent_last_heartbeat_timestamp_seconds' },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Records waiting',
          about: 'Reports that agents keep on disk until the coordinator has them.',
          unit: 'short',
        },
        { '{{agent}}': 'trawl_agent_spooled_records' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Attempts lost', about: 'With an agent that fell silent, was restarted or shut down.', unit: 'short' },
        { lost: 'sum(increase(trawl_lease_expirations_total[$__rate_interval]))' },
      ),
    )
    .withRow(new RowBuilder('GPUs'))
    .withPanel(
      graph(
        { title: 'Utilization', about: 'Share of the time in which a kernel ran.', unit: 'percentunit' },
        { '{{agent}} {{gpu}}': 'trawl_agent_gpu_utilization_ratio' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Memory', about: 'In use, whoever uses it.', unit: 'percentunit' },
        { '{{agent}} {{gpu}}': 'trawl_agent_gpu_memory_used_bytes / trawl_agent_gpu_memory_total_bytes' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Temperature', about: 'A card that grows too hot slows itself down.', unit: 'celsius' },
        { '{{agent}} {{gpu}}': 'trawl_agent_gpu_temperature_celsius' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Power', about: 'Of all GPUs of an agent.', unit: 'watt' },
        { '{{agent}}': 'sum by (agent) (trawl_agent_gpu_power_watts)' },
      ),
    )
    .withRow(new RowBuilder('Data sets and disks'))
    .withPanel(
      graph(
        { title: 'Data sets', about: 'Found in the cache, and fetched first.', unit: 'short' },
        {
          found: 'sum(increase(trawl_dataset_cache_hits_total[$__rate_interval]))',
          fetched: 'sum(increase(trawl_dataset_cache_misses_total[$__rate_interval]))',
        },
      ),
    )
    .withPanel(
      graph(
        { title: 'Cache', about: 'Bytes of data sets on each agent.', unit: 'bytes' },
        { '{{agent}}': 'trawl_dataset_cache_bytes' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Disk free', about: "Share of the disk of each agent's folder.", unit: 'percentunit' },
        { '{{agent}}': 'trawl_agent_disk_free_bytes / trawl_agent_disk_size_bytes' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Agent processes', about: 'CPU of the supervisors; their workers are not in.', unit: 'percentunit' },
        { '{{instance}}': 'rate(process_cpu_seconds_total{job="trawl-agent"}[$__rate_interval])' },
      ),
    )
    .withPanel(table({ title: 'Agents', about: 'What each one is.', unit: 'short' }, 'trawl_agent_info'));
