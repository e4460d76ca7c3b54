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

{{/* 1000 is the user of the images. */}}
{{- define "trawl.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
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
{{- $query := list (printf "direct=%t" .direct) -}}
{{- with .endpoint }}{{ $query = append $query (printf "endpoint=%s" (urlquery .)) }}{{ end -}}
{{- with .region }}{{ $query = append $query (printf "region=%s" (urlquery .)) }}{{ end -}}
{{- if kindIs "bool" .pathStyle }}{{ $query = append $query (printf "path-style=%t" .pathStyle) }}{{ end -}}
{{- with .quota }}{{ $query = append $query (printf "quota=%s" (urlquery .)) }}{{ end -}}
s3://{{ .bucket }}/{{ .prefix }}?{{ join "&" $query }}
{{- end -}}
