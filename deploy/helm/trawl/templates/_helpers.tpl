{{- define "trawl.name" -}}
{{- printf "%s-trawl" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of a component. Argument: (list . "coordinator") */}}
{{- define "trawl.selector" -}}
app.kubernetes.io/name: trawl
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "trawl.labels" -}}
{{ include "trawl.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end -}}

{{/* Argument: the user of the image, which is 1000 in the images of trawl. */}}
{{- define "trawl.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "trawl.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* The URL for --artifacts. */}}
{{- define "trawl.artifacts" -}}
{{- $artifacts := .Values.artifacts -}}
{{- $server := ternary (printf "http://%s-s3:9000" (include "trawl.name" .)) "" .Values.s3.enabled -}}
{{- $query := list (printf "direct=%t" $artifacts.direct) -}}
{{- with $artifacts.endpoint | default $server }}{{ $query = append $query (printf "endpoint=%s" (urlquery .)) }}{{ end -}}
{{- with $artifacts.region }}{{ $query = append $query (printf "region=%s" (urlquery .)) }}{{ end -}}
{{- if kindIs "bool" $artifacts.pathStyle }}{{ $query = append $query (printf "path-style=%t" $artifacts.pathStyle) }}{{ end -}}
{{- with $artifacts.quota }}{{ $query = append $query (printf "quota=%s" (urlquery .)) }}{{ end -}}
s3://{{ $artifacts.bucket }}/{{ $artifacts.prefix }}?{{ join "&" $query }}
{{- end -}}

{{/* The addresses of the coordinators, for --server. */}}
{{- define "trawl.servers" -}}
{{- $name := printf "%s-coordinator" (include "trawl.name" .) -}}
{{- if eq (int .Values.coordinator.replicas) 1 -}}
{{ $name }}:7070
{{- else -}}
{{- $servers := list -}}
{{- range until (int .Values.coordinator.replicas) }}{{ $servers = append $servers (printf "%s-%d.%s:7070" $name . $name) }}{{ end -}}
{{ join "," $servers }}
{{- end -}}
{{- end -}}

{{/* Fails if the values of the stores contradict each other. */}}
{{- define "trawl.checkStores" -}}
{{- if and .Values.postgresql.enabled .Values.store.secret -}}
{{- fail "postgresql.enabled and store.secret exclude each other: set one of them" -}}
{{- end -}}
{{- if and .Values.postgresql.enabled (not .Values.postgresql.secret) -}}
{{- fail "postgresql.enabled requires postgresql.secret, a Secret with the key PGPASSWORD" -}}
{{- end -}}
{{- if and .Values.s3.enabled (not (and .Values.artifacts.bucket .Values.artifacts.credentialsSecret)) -}}
{{- fail "s3.enabled requires artifacts.bucket and artifacts.credentialsSecret" -}}
{{- end -}}
{{- if gt (int .Values.coordinator.replicas) 1 -}}
{{- if not (or .Values.postgresql.enabled .Values.store.secret) -}}
{{- fail "coordinator.replicas above 1 requires a store in PostgreSQL: set store.secret or postgresql.enabled" -}}
{{- end -}}
{{- if not .Values.artifacts.bucket -}}
{{- fail "coordinator.replicas above 1 requires artifacts in an S3-compatible store: set artifacts.bucket" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A volume claim. Argument: the values of the storage */}}
{{- define "trawl.volumeClaim" -}}
metadata:
  name: data
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests: { storage: {{ .size }} }
{{- end -}}
